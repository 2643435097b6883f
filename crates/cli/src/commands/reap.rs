//! `fleetfoot reap`: finds what nobody wants any more, shows it with its age and cost, and with `--yes` takes
//! it away.
//!
//! What is not wanted is [`fleetfoot_core::reap`]'s to say. This command looks at ECS, GitHub and the mailbox
//! bucket ([`look`]), has the engine take tasks away as `stop` does ([`remove`]), and tells ([`tell`]).

mod look;
mod remove;
mod tell;

use fleetfoot_core::hallmark::Hallmark;
use fleetfoot_core::reap::{self, Rules};
use fleetfoot_core::stack::Stack;
use fleetfoot_github::{Scope, Target};
use jiff::Timestamp;

use crate::account::{Account, Local};
use crate::args::ReapArgs;
use crate::cancel::Cancel;
use crate::failure::Failure;

use look::Look;
use remove::Outcome;
use tell::Report;

/// How a cancelled reap ends.
const CANCELLED: &str = "the clean-up was cancelled";

/// Runs the command.
pub async fn run(args: ReapArgs, cancel: &Cancel) -> Result<(), Failure> {
    let local = Local::read(&args.stack)?;
    let until = Timestamp::now() + args.timeout;
    let looking = Box::pin(async {
        let account = Account::open(local, &args.stack).await?;
        let rules = rules(&account.stack, account.runners.scope(), &args);
        let mut look = Look::at(&account, &rules, until).await?;
        let mut found = look.unwanted(&rules);
        if let (true, Some(pause)) = (args.yes, look::has_to_settle(&found)) {
            tokio::time::sleep(pause).await;
            (look, found) = Look::again(&account, &rules, &found, until).await?;
        }
        look::keep_unregistered(&account, &mut found, until).await?;
        look.find_elsewhere(&account, &found, until).await?;
        Ok((account, rules, look, found))
    });
    let (account, rules, look, found) = cancel.unless(CANCELLED, looking).await?;

    let now = Timestamp::now();
    let ends = if args.yes {
        Box::pin(remove::take_away(&account, &look.places, found, until, args.poll, cancel)).await?
    } else {
        found.into_iter().map(|unwanted| (unwanted, Outcome::Shown)).collect()
    };
    let unproven = reap::unproven(&rules, &look.sight);
    Report::new(&account.stack, now, &ends, look.notes, unproven).tell(account.context.as_ref(), &args)
}

fn rules(stack: &Stack, scope: &Scope, args: &ReapArgs) -> Rules {
    let home = match scope.target() {
        target @ Target::Repository { .. } => target.to_string().parse().ok(),
        Target::Organization(_) | Target::Enterprise(_) => None,
    };
    let hallmark = Hallmark::of(stack);
    Rules { stack: stack.name.clone(), hallmark, home, older_than: args.older_than }
}
