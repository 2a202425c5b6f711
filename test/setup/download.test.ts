import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SelfsightError } from "../../src/errors.ts";
import { checksum, download } from "../../src/setup/download.ts";
import { scratch } from "../images.ts";

const body = randomBytes(200_000);
const sha256 = createHash("sha256").update(body).digest("hex");
const md5 = createHash("md5").update(body).digest("hex");

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;
let handle: Handler = () => {};
/** The Range header of every request, "" for none. */
let ranges: string[] = [];
const server = createServer((request, response) => {
  ranges.push(request.headers.range ?? "");
  handle(request, response);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file.bin`;
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const root = scratch();
let file = "";
let count = 0;
beforeEach(() => {
  ranges = [];
  file = join(root, `case-${count++}`, "file.bin");
});

const start = (request: IncomingMessage) => Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);

/** Sends the body from the requested offset on, as a correct server does. */
const send: Handler = (request, response) => {
  const from = start(request);
  if (from >= body.length) return response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
  const headers = { "content-length": body.length - from };
  if (from) response.writeHead(206, { ...headers, "content-range": `bytes ${from}-${body.length - 1}/${body.length}` });
  else response.writeHead(200, headers);
  return response.end(body.subarray(from));
};

/** Bytes that have arrived of a file that is not complete. */
const partSize = () => statSync(`${file}.part`, { throwIfNoEntry: false })?.size ?? 0;

/** Cuts the connection once `bytes` of each of the first `times` answers have arrived. */
function cutAfter(bytes: number, times: number, then: Handler): Handler {
  return async (request, response) => {
    if (ranges.length > times) return then(request, response);
    const from = start(request);
    response.writeHead(from ? 206 : 200, {
      "content-length": body.length - from,
      ...(from && { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` }),
    });
    response.write(body.subarray(from, from + bytes));
    while (partSize() < from + bytes) await sleep(5);
    return response.destroy();
  };
}

const arrived = () => readFileSync(file).equals(body);

describe("download", () => {
  it("downloads a file, makes its folder and leaves nothing else", async () => {
    handle = send;
    const progress: [number, number | undefined][] = [];
    await download(url, file, { sha256, md5, onProgress: (...step) => progress.push(step) });
    expect(arrived()).toBe(true);
    expect(readdirSync(join(file, ".."))).toEqual(["file.bin"]);
    expect(progress.at(-1)).toEqual([body.length, body.length]);
  });

  it("resumes where a connection broke, several times", async () => {
    handle = cutAfter(50_000, 2, send);
    await download(url, file, { sha256 });
    expect(arrived()).toBe(true);
    expect(ranges).toEqual(["", "bytes=50000-", "bytes=100000-"]);
  });

  it("keeps what arrived when it gives up, and a later call resumes from there", async () => {
    handle = cutAfter(50_000, 99, send);
    await expect(download(url, file, { sha256, retries: 1 })).rejects.toThrow(/cannot be downloaded.*next try goes on/);
    expect(existsSync(file)).toBe(false);
    expect(existsSync(`${file}.part`)).toBe(true);
    handle = send;
    await download(url, file, { sha256 });
    expect(arrived()).toBe(true);
    expect(ranges.at(-1)).toBe("bytes=100000-");
  });

  it("starts over if the server ignores ranges", async () => {
    handle = cutAfter(50_000, 1, (_, response) => response.end(body));
    await download(url, file, { sha256 });
    expect(arrived()).toBe(true);
  });

  it("accepts a complete file that was not renamed", async () => {
    handle = send;
    await download(url, `${file}.part`);
    await download(url, file);
    expect(arrived()).toBe(true);
    expect(ranges.at(-1)).toBe(`bytes=${body.length}-`);
  });

  it("starts over if an earlier run left part of another file, or too many bytes", async () => {
    handle = send;
    await download(url, join(file, "..", "other"));
    writeFileSync(`${file}.part`, randomBytes(1000));
    await download(url, file, { md5 });
    expect(arrived()).toBe(true);
    writeFileSync(`${file}.part`, randomBytes(body.length + 1));
    await download(url, file);
    expect(arrived()).toBe(true);
  });

  it("rejects wrong bytes, says so, and keeps none of them", async () => {
    handle = (_, response) => response.end(randomBytes(1000));
    for (const sums of [{ sha256 }, { md5 }]) {
      const failure = download(url, file, sums);
      await expect(failure).rejects.toThrow(SelfsightError);
      await expect(failure).rejects.toThrow(/sent other bytes than expected: (sha256|md5) \w+ instead of \w+/);
    }
    expect(readdirSync(join(file, ".."))).toEqual([]);
  });

  it("rejects fewer bytes than promised", async () => {
    handle = (_, response) => {
      response.writeHead(200, { "content-length": body.length + 10 });
      response.write(body, () => response.destroy());
    };
    await expect(download(url, file, { retries: 0 })).rejects.toThrow(/cannot be downloaded/);
    expect(existsSync(file)).toBe(false);
  });

  it("rejects a range that was not requested", async () => {
    handle = cutAfter(50_000, 1, (_, response) => {
      response.writeHead(206, { "content-range": `bytes 7-99/${body.length}` }).end(body.subarray(7, 100));
    });
    await expect(download(url, file, { sha256 })).rejects.toThrow(/answered 206/);
    expect(existsSync(file)).toBe(false);
  });

  describe("with a clock that only the test turns", () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
    afterEach(() => void vi.useRealTimers());

    it("waits for a slow server as long as bytes arrive", async () => {
      handle = async (_, response) => {
        response.writeHead(200, { "content-length": body.length });
        for (let from = 0; from < body.length; from += 40_000) {
          vi.advanceTimersByTime(900);
          response.write(body.subarray(from, from + 40_000));
          while (!response.destroyed && partSize() < Math.min(from + 40_000, body.length)) await sleep(5);
        }
        response.end();
      };
      await download(url, file, { sha256, patience: 1, retries: 0 }); // 4.5 s in all
      expect(arrived()).toBe(true);
    });

    it.each(["before", "after"])("gives up on a server that falls silent %s the first byte", async (when) => {
      handle = (_, response) => {
        if (when === "after") response.write(body.subarray(0, 100));
        else vi.advanceTimersByTime(1000);
      };
      const failure = download(url, file, { patience: 1, retries: 1, onProgress: () => vi.advanceTimersByTime(1000) });
      await expect(failure).rejects.toThrow(/cannot be downloaded: nothing came for a while/);
      expect(ranges).toHaveLength(2);
    });
  });

  it("does not retry a file that does not exist", async () => {
    handle = (_, response) => response.writeHead(404).end("<html>not found</html>");
    await expect(download(url, file, { sha256 })).rejects.toThrow(`${url} answered 404 Not Found`);
    expect(ranges).toEqual([""]);
    expect(readdirSync(join(file, ".."))).toEqual([]);
  });

  it("says why if no server answers", async () => {
    await expect(download("http://127.0.0.1:1/x", file, { retries: 0 })).rejects.toThrow(/cannot be downloaded: .+/);
  });
});

it("computes checksums as sha256sum and md5sum print them", async () => {
  const path = join(root, "abc");
  writeFileSync(path, "abc");
  expect(await checksum(path, "md5")).toBe("900150983cd24fb0d6963f7d28e17f72");
  expect(await checksum(path, "sha256")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
