import { echo, type EchoPlan } from '../echo.ts';
import { runLoad, type LoadPlan } from '../load.ts';
import { postMany, type ManyPlan } from '../post-many.ts';
import { answerParent, tellParent } from './messages.ts';

/** Whoever asks: a process of its own, so that its work is told apart from the hub's. */
answerParent(process.pid, {
  load: (plan: LoadPlan) => runLoad(plan, tellParent),
  echo: (plan: EchoPlan) => echo(plan),
  postMany: (plan: ManyPlan) => postMany(plan),
});
