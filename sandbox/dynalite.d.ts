// dynalite ships no types: this is the part of its API that the sandbox uses.
declare module 'dynalite' {
  import type { Server } from 'node:http';

  interface Options {
    createTableMs?: number;
    deleteTableMs?: number;
    updateTableMs?: number;
  }
  export default function dynalite(options?: Options): Server;
}
