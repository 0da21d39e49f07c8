import { BedProcess } from './process.js';

export interface CaptureOptions {
  readonly interface?: string;
  /** A tcpdump expression. */
  readonly only?: string;
}

/** A capture of one place's packets into a pcap file, by tcpdump. */
export class Capture {
  private constructor(
    private readonly process: BedProcess,
    readonly file: string,
  ) {}

  static async start(
    namespace: string,
    nic: string,
    file: string,
    options: CaptureOptions = {},
  ): Promise<Capture> {
    const on = options.interface ?? nic;
    // Immediate mode and -U: a packet is in the file as soon as it passed.
    const flags = ['--immediate-mode', '-U', '-n', '-Z', 'root', '-s', '0', '-i', on, '-w', file];
    const process = new BedProcess(namespace, [
      'tcpdump',
      ...flags,
      ...(options.only === undefined ? [] : [options.only]),
    ]);
    await process.says(/listening on/);
    return new Capture(process, file);
  }

  /** Ends it; the file is whole afterwards. */
  async stop(): Promise<string> {
    this.process.signal('SIGINT');
    await this.process.ended;
    return this.file;
  }
}
