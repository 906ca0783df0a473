import { existsSync } from "@std/fs";

/** Where Debian's packages put their jars; the manifest of zookeeper.jar names all others that it needs. */
const DEBIAN_JARS = "/usr/share/java";

/** How to start one server. */
export interface JavaCommand {
  readonly java: string;
  /** Everything before the path of the configuration file. */
  readonly args: readonly string[];
}

/** What is missing, and how to get it. */
export class MissingError extends Error {
  override name = "MissingError";
}

/** Finds Java and ZooKeeper, or throws {@link MissingError}. */
export async function javaCommand(logFolder: string): Promise<JavaCommand> {
  const home = Deno.env.get("JAVA_HOME");
  const java = home ? `${home}/bin/java` : "java";
  await expectRuns(java);
  return {
    java,
    args: [
      // Small and quick to start: a server keeps a few hundred nodes.
      "-Xmx128m",
      "-Xshare:auto",
      "-XX:TieredStopAtLevel=1",
      "-XX:+UseSerialGC",
      // Elections look again after 2 s at the latest: by default a server waits up to a minute for its peers.
      "-Dzookeeper.fastleader.maxNotificationInterval=2000",
      "-Dzookeeper.cnxTimeout=2000",
      "-Dzookeeper.preAllocSize=4096",
      `-Dzookeeper.log.dir=${logFolder}`,
      "-cp",
      classPath(Deno.env.get("ZOOKEEPER_HOME")),
      "org.apache.zookeeper.server.quorum.QuorumPeerMain",
    ],
  };
}

async function expectRuns(java: string): Promise<void> {
  try {
    const { success } = await new Deno.Command(java, { args: ["-version"], stdout: "null", stderr: "null" })
      .output();
    if (success) return;
  } catch {
    // Not there, or not a program.
  }
  throw new MissingError(
    `ZooKeeper needs Java, and "${java}" does not run. Debian, Ubuntu: apt-get install default-jre-headless. ` +
      "Elsewhere: install Java 11 or later, and set JAVA_HOME if java is not on the PATH.",
  );
}

function classPath(home: string | undefined): string {
  if (home) {
    if (existsSync(`${home}/lib`)) return `${home}/conf:${home}/lib/*`;
    throw new MissingError(
      `ZOOKEEPER_HOME is "${home}", which has no folder "lib": name an unpacked release.`,
    );
  }
  if (existsSync(`${DEBIAN_JARS}/zookeeper.jar`)) {
    return `${DEBIAN_JARS}/zookeeper.jar:${DEBIAN_JARS}/slf4j-simple.jar`;
  }
  throw new MissingError(
    "ZooKeeper is not installed. Debian, Ubuntu: apt-get install zookeeper. " +
      "Elsewhere: unpack a release of ZooKeeper 3.8 and name its folder in ZOOKEEPER_HOME.",
  );
}
