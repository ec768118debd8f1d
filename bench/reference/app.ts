// The app that the measured one is held against: the same roles on @mentra/sdk and Bun. See ../app.py.

import { MiniAppServer, type MentraSession } from "@mentra/sdk";

const BEGIN = "bench begins";
const END = "bench ends";

function say(mark: string, fields: object = {}): void {
  console.log(JSON.stringify({ mark, ...fields }));
}

class Count {
  events = 0;
  private wall = 0;
  private cpu = process.cpuUsage();

  begin(): void {
    say("begin");
    this.events = 0;
    this.wall = performance.now();
    this.cpu = process.cpuUsage();
  }

  end(): void {
    const cpu = process.cpuUsage(this.cpu);
    const wall = performance.now() - this.wall;
    say("end", { events: this.events - 1, dropped: 0, cpu: (cpu.user + cpu.system) / 1e6, wall: wall / 1e3 });
  }
}

function hearText(session: MentraSession): void {
  const count = new Count();
  session.transcription.on((line) => {
    count.events += 1;
    if (line.isFinal) {
      if (line.text === BEGIN) count.begin();
      else if (line.text === END) count.end();
    }
  });
}

function hearSound(session: MentraSession): void {
  const count = new Count();
  session.mic.onChunk((chunk) => {
    count.events += 1;
    if (chunk.data.byteLength === 2) count.begin();
    else if (chunk.data.byteLength === 4) count.end();
  });
}

function idle(session: MentraSession): void {
  session.transcription.on(() => {});
}

function show(session: MentraSession): void {
  session.transcription.on((line) => session.display.showTextWall(line.text));
}

const roles: Record<string, (session: MentraSession) => void> = { text: hearText, sound: hearSound, idle, show };

const app = new MiniAppServer({ packageName: "com.example.bench", apiKey: "k".repeat(64) });
app.onSession(roles[process.env.BENCH_ROLE ?? ""]);
// app.start() is left out: all it does is to ask a registry for a newer version.
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: app.fetch });
say("ready", { url: `http://127.0.0.1:${server.port}` });
