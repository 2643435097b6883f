//! Each fault alone: every one of the catalogue, in every form that it shows.

use fleetfoot_sim::faults::{Fault, FaultPlan, catalogue};

use crate::mix::is_on_the_road;
use crate::random::{begin, replay, report};
use crate::road::{Pool, Road};

/// A road on which a fault can fire.
fn road(fault: &str) -> Road {
    let pool = match fault {
        _ if fault.contains("fleetfoot-demo-ec2") => Pool::Ec2,
        _ if fault.contains("SPOT") || fault.starts_with("spot") => Pool::Spot,
        _ => Pool::Fargate,
    };
    // A stop has something to do only where no job has used the runners up.
    let of_a_stop = ["StopTask", "delete-runner"].iter().any(|operation| fault.contains(operation));
    Road { jobs: if of_a_stop { 0 } else { 2 }, ..Road::plain(pool) }
}

/// All examples of the catalogue. The demo's machines are behind a capacity provider of their own.
fn catalogued() -> Vec<Fault> {
    let examples =
        catalogue().iter().filter(|entry| is_on_the_road(entry.name)).flat_map(|entry| entry.examples);
    examples.map(|example| example.replace(":EC2", ":fleetfoot-demo-ec2").parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_alone() {
    let faults = replay().map_or_else(catalogued, |plan| plan.faults);
    let trips = faults.iter().map(|fault| {
        let plan = FaultPlan { seed: 0, faults: vec![fault.clone()] };
        begin(plan, road(&fault.to_string()))
    });
    let told = report("each_fault_alone", trips.collect()).await;
    for (fault, told) in faults.iter().zip(told) {
        // Dice may spare it.
        let certain = fault.when.probability >= 1.0;
        assert!(!certain || told.fired == [true], "{fault} never fired\n{}", told.diary);
    }
}
