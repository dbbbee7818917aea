/** One thread of the simulator: takes tasks, answers with what they found. */
import { parentPort } from 'node:worker_threads';
import { doTask, type Task } from './tasks.ts';

// Stacks are for whoever replays: here each abort of a sleep would pay for one.
Error.stackTraceLimit = 1;

parentPort?.on('message', (task: Task) => {
  doTask(task).then(
    (done) => parentPort?.postMessage(done),
    (error: unknown) => {
      throw error;
    },
  );
});
