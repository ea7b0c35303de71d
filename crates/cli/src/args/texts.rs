//! Longer texts of the help.

pub(super) const ABOUT: &str = "Put many deleted sites back, under their original IDs, from a YAML runbook";

pub(super) const LONG_ABOUT: &str = "\
Put many deleted sites back, under their original IDs, from a YAML runbook.

A runbook says which steps bring one site back and in which order; a list says which sites. `reinstate` restores them in
parallel, batch by batch, and records every step in a journal, so that a run that was killed goes on where it was.

  reinstate demo                                        see it work, in a lab on this machine
  reinstate init restore.yaml                           start a runbook
  reinstate check restore.yaml --sites sites.csv        find every mistake before anything starts
  reinstate plan restore.yaml --sites sites.csv --estate estate.yaml
  reinstate simulate restore.yaml --sites sites.csv --estate estate.yaml
  reinstate run  restore.yaml --sites sites.csv --estate estate.yaml --plan HASH
  reinstate resume NAME                                 go on after a crash, a kill or Ctrl-C
  reinstate watch NAME                                  follow it on a full screen, approve, pause, retry
  reinstate status NAME; reinstate why NAME SITE; reinstate report NAME --format html --output report.html";

pub(super) const WATCH: &str = "\
Follow a run on a full screen and steer it.

Shows how the run stands, its sites, batches with their budgets, steps, pools, what waits for people
and the latest events, with a forecast of the rest. It only reads: any number of people may watch,
from the start or later, and leaving with `q` or Ctrl-C stops nothing. Whoever drives the run may
die and be replaced meanwhile.

  reinstate watch april-1 --store sqlite:/var/lib/reinstate/runs.db

Up and down select what waits: approvals, steps in doubt or stuck, quarantined sites. Then

  a  approve    x  reject      r  retry    R  retry every quarantined site
  p  pause      c  continue    d  done     n  not done    g  give up (a step in doubt or stuck)

Each says first what it will touch and asks for a reason, which the journal keeps with your name;
Enter sends it, Esc leaves it. It is the verb of the command line (`reinstate approve ...`), with
the same rules and the same answers. `?` shows every key, Enter all that is known of the selected
item, Tab the other pages.";

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done: succeeded, or clean
  1  could not do it: store, network, defect (the message says which)
  2  bad input: arguments, runbook, site list, estate
  3  the run ended with exceptions: some sites did not return cleanly
  4  the run failed, was aborted or cancelled
  5  the run waits for an operator
  6  stopped by a signal; `reinstate resume` goes on
  7  somebody else drives this run
  8  differences were found (`lab diff`)";
