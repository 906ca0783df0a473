/** A temporary folder that goes with its scope. */
export class TempFolder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async make(): Promise<TempFolder> {
    return new TempFolder(await Deno.makeTempDir({ prefix: "kv-e2e-" }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
