//! The places at GitHub of one autoscaler: opened, checked before anything is changed, and cleared.
//!
//! The queue of the first scale set is the lock of the whole stack, so nothing goes without the place where that is.
//! Another place that refuses us is told of, and tried again by whoever listens there; the rest go on.

use std::sync::Arc;

use fleetfoot_core::fault::Fault;
use fleetfoot_core::ports::Runners;
use fleetfoot_core::scale_sets::ScaleSets;
use fleetfoot_github::{GitHubRunners, GitHubScaleSets};
use futures_util::future::join_all;

use crate::account::Account;
use crate::failure::Failure;
use crate::serve::{AtGitHub, Order, SetOrder};

/// One repository, organisation or enterprise.
pub(super) type Place = AtGitHub<GitHubScaleSets, Arc<GitHubRunners>>;

/// Opens them. Nothing is called yet.
pub(super) fn open(places: impl Iterator<Item = GitHubRunners>) -> Result<Vec<Place>, Failure> {
    let open = |runners| {
        let registry = Arc::new(runners);
        Ok(Place { sets: GitHubScaleSets::new(Arc::clone(&registry))?, registry })
    };
    places.map(open).collect()
}

/// Sees that runners may be registered in all of them.
///
/// # Errors
/// If they may not where the first scale set is.
pub(super) async fn check(account: &Account, order: &Order) -> Result<(), Failure> {
    let answers = join_all(account.places().map(Runners::check)).await;
    let first = order.sets.first().map_or(0, |set| set.scope.0);
    let several = answers.len() > 1;
    for (n, (place, answer)) in account.places().zip(answers).enumerate() {
        let Err(fault) = answer else { continue };
        let fault = if n == 0 { fault } else { of_another_owner(place, fault) };
        if n == first {
            let mut failure = Failure::from(fault);
            if several {
                failure.sentence +=
                    "; the first scale set is there, and no other is served without its queue";
            }
            return Err(failure);
        }
        tracing::warn!(
            github = %place.scope().target(),
            class = fault.class.word(),
            why = %fault,
            remedy = fault.remedy,
            "runners cannot be registered there; the other places are served, and this one is tried again"
        );
    }
    Ok(())
}

/// A refusal in a place that is not the stack's own, with what may be its reason.
fn of_another_owner(place: &GitHubRunners, fault: Fault) -> Fault {
    if !place.has_fine_grained_token() {
        return fault;
    }
    let remedy = "a fine-grained token is of one owner alone: for several organisations take a GitHub App that is \
                  installed on each, or a classic token";
    Fault { remedy: Some(remedy.to_owned()), ..fault }
}

/// Removes the scale sets, one after the other. Those that are not there are no error; what cannot be removed in one
/// place does not keep the others.
pub(super) async fn remove(order: &Order, places: &[Place]) -> Result<(), Failure> {
    let mut left = None;
    for set in &order.sets {
        let (name, place) = (&set.spec.name, &order.places[set.scope.0]);
        match remove_one(set, places).await {
            Ok(true) => anstream::println!("removed the scale set {name} of {place}"),
            Ok(false) => anstream::println!("there is no scale set {name} of {place}"),
            Err(fault) => {
                let failure = Failure::from(fault);
                if let Some(earlier) = left.replace(failure) {
                    anstream::eprintln!("{}", earlier.text());
                }
            }
        }
    }
    left.map_or(Ok(()), Err)
}

async fn remove_one(set: &SetOrder, places: &[Place]) -> Result<bool, Fault> {
    let sets = &places[set.scope.0].sets;
    let found = sets.look_up(&set.spec).await?;
    if let Some(id) = found {
        sets.remove(id).await?;
    }
    Ok(found.is_some())
}
