//! How to reach the simulators from outside.

use serde_json::{Value, json};

use super::world::{BUCKET, CLUSTER, REGION, REPOSITORY, STACK, World};

/// The environment in which ordinary clients talk to the simulators.
fn environment(world: &World) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", world.aws.endpoint()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", world.keys.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", world.keys.secret_access_key.clone()),
        ("FLEETFOOT_STACK", STACK.to_owned()),
        ("FLEETFOOT_GITHUB_TOKEN", world.token.clone()),
        ("GITHUB_API_URL", world.github.api_url()),
    ]
}

/// Prints it for people. The credentials are good for the simulators only.
pub fn tell(world: &World) {
    anstream::println!("\nSimulated GitHub: {}", world.github.server_url());
    anstream::println!("Simulated AWS:    {}", world.aws.endpoint());
    anstream::println!("Faults:           {} (docs/faults.md)", world.control.url());
    anstream::println!("Repository {REPOSITORY}, cluster {CLUSTER}, bucket {BUCKET}, stack {STACK}.");
    anstream::println!("\nFor another terminal (these credentials open nothing but the simulators):");
    for (name, value) in environment(world) {
        anstream::println!("  export {name}={value}");
    }
    anstream::println!("\nThen, say:");
    anstream::println!("  fleetfoot start --key try --pool Fargate");
    anstream::println!("  fleetfoot stop --key try");
    anstream::println!("  aws ecs list-tasks --cluster {CLUSTER}");
    anstream::println!("\nCtrl-C ends them.");
}

/// The same for scripts.
pub fn document(world: &World) -> Value {
    let environment: Value = environment(world).into_iter().map(|(k, v)| (k.to_owned(), json!(v))).collect();
    json!({
        "simulated": true,
        "github": { "server_url": world.github.server_url(), "api_url": world.github.api_url(),
                    "issuer": world.github.issuer(), "repository": REPOSITORY },
        "aws": { "endpoint": world.aws.endpoint(), "region": REGION, "cluster": CLUSTER, "bucket": BUCKET,
                 "launcher_role": world.launcher_role },
        "faults": { "control": world.control.url() },
        "stack": world.stack,
        "environment": environment,
    })
}
