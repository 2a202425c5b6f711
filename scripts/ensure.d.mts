export function isNodeRecent(version: string, range: string): boolean;
export function isLockCurrent(root: string): boolean;
export function isInstalled(root: string): boolean;
export function sourceDigest(root: string): string;
export function isBuilt(root: string): boolean;
