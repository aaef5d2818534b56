/** The imports of this unit's world, by interface. A build makes the module: what unit.toml does not declare is missing. */
declare module "remit-unit-world" {
  export const world: { [name: string]: { [name: string]: (...given: any[]) => any } | undefined };
}
