//! `docs/agent.md` leaves nothing out.

use fleetfoot_agent::variable;
use fleetfoot_core::exit::AgentExit;

const MANUAL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/agent.md"));

#[test]
fn every_exit_code_is_explained() {
    for exit in AgentExit::ALL {
        let name = serde_json::to_value(exit).unwrap();
        let row = format!("| {} | `{}` | {}", exit.code(), name.as_str().unwrap(), exit.sentence());
        assert!(MANUAL.contains(&row), "docs/agent.md has no row beginning {row:?}");
    }
}

#[test]
fn every_setting_is_explained() {
    for name in variable::ALL {
        assert!(MANUAL.contains(&format!("| `{name}` |")), "docs/agent.md does not explain {name}");
    }
}
