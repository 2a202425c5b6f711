/** `lock-child.ts LOCK LOG`: takes and releases a lock many times, and logs each. */
import { appendFileSync } from "node:fs";
import { withLock } from "../../src/setup/lock.ts";

const [lock = "", log = ""] = process.argv.slice(2);
for (let i = 0; i < 20; i++) {
  await withLock(
    lock,
    () => {},
    async () => {
      appendFileSync(log, `${process.pid} ${i} in\n`);
      await new Promise((resolve) => setTimeout(resolve, 2));
      appendFileSync(log, `${process.pid} ${i} out\n`);
    },
  );
}
