/** Where things stand below the root in the coordinator. */
export interface Paths {
  readonly root: string;
  /** One ephemeral node per live process, named by its address. */
  readonly masters: string;
  readonly dataNodes: string;
  readonly standbys: string;
  readonly masterLock: string;
  readonly registerLock: string;
  /** The ring document. */
  readonly ring: string;
}

export function pathsBelow(root: string): Paths {
  return {
    root,
    masters: `${root}/master`,
    dataNodes: `${root}/data`,
    standbys: `${root}/sb`,
    masterLock: `${root}/lock/master`,
    registerLock: `${root}/lock/register`,
    ring: `${root}/ring`,
  };
}

/** Creates the folders of the tree. */
export async function ensurePaths(
  session: { ensurePath(path: string): Promise<void> },
  paths: Paths,
): Promise<void> {
  const { masters, dataNodes, standbys, masterLock, registerLock } = paths;
  for (const path of [masters, dataNodes, standbys, masterLock, registerLock]) await session.ensurePath(path);
}
