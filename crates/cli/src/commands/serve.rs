//! `fleetfoot serve`: the autoscaler, until it is told to end.
//!
//! Everything that can be refused is refused before GitHub or AWS is changed. Then a replica and the HTTP server
//! run side by side, neither of them spawned.

mod places;

use std::sync::Arc;

use fleetfoot_core::fleet::{Manner, ScopeIndex, SetIndex};
use fleetfoot_core::hallmark::Hallmark;
use fleetfoot_core::scale_sets::ScaleSetSpec;
use fleetfoot_core::stack::{ScaleSet, Stack};
use fleetfoot_github::GitHubScaleSets;
use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::account::{Account, Local, variable};
use crate::args::ServeArgs;
use crate::cancel::Cancel;
use crate::engine::{Clock, SteadyClock};
use crate::failure::Failure;
use crate::order::random;
use crate::serve::{
    Controller, Doors, Health, Listener, Metrics, Order, PoolOrder, SetIds, SetOrder, StackTargets, Teller,
    events, http, run_replica, traces,
};

/// How a cancelled opening ends.
const CANCELLED: &str = "the autoscaler was told to end before it began";

/// How long a task waits for its assignment beyond the age at which it is replaced.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// How many messages may wait to be written down; listeners wait for room.
const HEARD: usize = 64;

/// Runs the command.
pub async fn run(args: ServeArgs, cancel: &Cancel) -> Result<(), Failure> {
    let local = Local::read(&args.stack)?;
    let collector = traces::Collector::from_vars(variable)?;
    let network = local.network.clone();
    let listener = http::bind(args.listen).await?;
    let opening = Box::pin(async {
        let account = Account::open(local, &args.stack).await?;
        let order = order(&account, &args)?;
        places::check(&account, &order).await?;
        Ok((account, order))
    });
    let (account, order) = cancel.unless(CANCELLED, opening).await?;
    let Account { stack, aws, tasks, outbox, runners, elsewhere, .. } = account;
    let scopes = places::open([runners].into_iter().chain(elsewhere))?;
    if args.remove {
        return places::remove(&order, &scopes).await;
    }

    let order = Arc::new(order);
    let ids = SetIds::new(order.sets.len());
    let hallmark = Hallmark::of(&stack);
    let nonce = move || hallmark.stamp(&random(32));
    let clock = SteadyClock::new();
    let doors =
        Doors { tasks: &tasks, outbox: &outbox, scopes: &scopes, ids: &ids, clock: &clock, nonce: &nonce };
    let (metrics, health) = (Arc::new(Metrics::default()), Arc::new(Health::default()));
    let exporter = |collector| traces::exporter(collector, &network, stack.name.as_str(), &metrics);
    let (outlet, exporter) = collector.map(exporter).transpose()?.unzip();
    let teller =
        Teller::new(Arc::clone(&order), Arc::clone(&metrics), Arc::clone(&health)).with_traces(outlet);
    let targets = StackTargets::new(&stack, &order, manner(&args));
    let (heard, hearing) = mpsc::channel(HEARD);
    let owner = args.owner.clone().unwrap_or_else(owner);
    let controller = Controller::new(doors, &order, &targets, hearing, teller);

    let address = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(stack = %stack.name, scale_sets = order.sets.len(), owner, address, "serving");
    let leads = watch::Sender::new(false);
    let listeners = listeners(&order, &scopes, &ids, &owner, &clock, &heard, &leads);
    let queue = stack.events_queue.as_ref().map(|url| aws.task_events(url, &stack.cluster));
    let told_by_ecs = async {
        match &queue {
            Some(queue) => events::listen(queue, &clock, leads.subscribe(), heard, cancel.token()).await,
            // Only the listeners hold the channel then.
            None => drop(heard),
        }
    };
    let (told, ended) = (http::Told { metrics, health }, CancellationToken::new());
    let serving = http::serve(listener, told, ended.clone());
    let running = async {
        run_replica(&clock, controller, listeners, cancel.token()).await;
        ended.cancel();
    };
    let exporting = async {
        if let Some(exporter) = exporter {
            exporter.run(&clock).await;
        }
    };
    let ((), (), served, ()) = tokio::join!(running, told_by_ecs, serving, exporting);
    served.map_err(|error| {
        Failure::failed("io", format!("the HTTP server has failed: {error}"), "Start it again.")
    })?;
    tracing::info!("ended; runners go on, and the next leader finds them");
    Ok(())
}

fn manner(args: &ServeArgs) -> Manner {
    Manner {
        poll: args.poll,
        sweep: args.sweep,
        grace: args.grace,
        warm_age: args.warm_age,
        ..Manner::default()
    }
}

/// What the stack document orders.
fn order(account: &Account, args: &ServeArgs) -> Result<Order, Failure> {
    let stack = &account.stack;
    if stack.scale_sets.is_empty() {
        return Err(Failure::usage(
            format!("the stack {} has no scale_sets, so there is no queue to listen to", stack.name),
            "Add one to the stack document, such as {\"name\": \"linux\", \"pool\": \"NAME OF A POOL\"}.",
        ));
    }
    let pools = stack
        .pools
        .iter()
        .map(|pool| PoolOrder::of(stack, pool, args.warm_age + args.max_lifetime))
        .collect();
    let sets = stack.scale_sets.iter().map(|set| set_order(stack, set, args)).collect::<Result<_, _>>()?;
    let bind_timeout = args.warm_age + MARGIN;
    Ok(Order {
        pools,
        sets,
        places: account.places().map(|place| place.scope().target().to_string()).collect(),
        mailbox: stack.mailbox.clone(),
        bind_timeout: u64::try_from(bind_timeout.as_secs()).unwrap_or_default(),
        cluster: stack.cluster.clone(),
    })
}

fn set_order(stack: &Stack, set: &ScaleSet, args: &ServeArgs) -> Result<SetOrder, Failure> {
    let label = |text: &String| {
        text.parse().map_err(|error| {
            Failure::usage(
                format!("the stack {}: scale set {:?}: {error}", stack.name, set.name),
                "Correct it in the stack document.",
            )
        })
    };
    Ok(SetOrder {
        spec: ScaleSetSpec {
            name: label(&set.name)?,
            runner_group: set.runner_group.clone(),
            labels: set.labels.iter().map(label).collect::<Result<_, _>>()?,
        },
        scope: ScopeIndex(stack.place_of(set)),
        pool: fleetfoot_core::fleet::PoolIndex(
            stack.pools.iter().position(|pool| pool.name == set.pool).unwrap_or_default(),
        ),
        max: set.most(),
        idle_timeout: args.idle_timeout,
        max_lifetime: args.max_lifetime,
    })
}

fn listeners<'a>(
    order: &'a Order,
    scopes: &'a [places::Place],
    ids: &'a SetIds,
    owner: &'a str,
    clock: &'a dyn Clock,
    heard: &mpsc::Sender<crate::serve::Heard>,
    leads: &watch::Sender<bool>,
) -> Vec<Listener<'a, GitHubScaleSets>> {
    let of_set = |(n, set): (usize, &'a SetOrder)| Listener {
        set: SetIndex(n),
        spec: &set.spec,
        sets: &scopes[set.scope.0].sets,
        ids,
        owner,
        capacity: set.max,
        clock,
        heard: heard.clone(),
        leads: leads.clone(),
    };
    order.sets.iter().enumerate().map(of_set).collect()
}

/// The host's name tells people where the leader is; the letters keep two processes of one host apart.
fn owner() -> String {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    format!("{}-{}", host.unwrap_or_else(|| "fleetfoot".to_owned()), random(6))
}
