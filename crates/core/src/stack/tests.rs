use super::*;

fn document() -> serde_json::Value {
    serde_json::json!({
        "version": 1, "name": "prod", "region": "eu-west-1", "cluster": "ff",
        "mailbox": { "bucket": "mail" },
        "github": { "url": "https://github.com/acme", "app": { "client_id": "Iv1", "key": "env:KEY" } },
        "pools": [
            { "name": "small", "task_definition": "ff-small", "arch": "x86_64", "cpu": 1024, "memory": 2048,
              "network": { "subnets": ["subnet-1"], "assign_public_ip": true },
              "capacity": [ { "provider": "FARGATE_SPOT" }, { "provider": "FARGATE" } ] },
            { "name": "ec2", "task_definition": "ff-ec2", "arch": "arm64", "cpu": 1000, "memory": 1900,
              "capacity": [ { "launch_type": "EC2" } ] }
        ]
    })
}

fn error(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut document = document();
    change(&mut document);
    Stack::from_json(&document.to_string()).unwrap_err().to_string()
}

#[test]
fn a_document_is_read_with_its_defaults() {
    let stack = Stack::from_json(&document().to_string()).unwrap();
    assert_eq!(stack.mailbox.prefix, "mailbox/");
    assert_eq!(stack.pool(None).unwrap().container, "runner");
    assert!(!stack.pool(Some("ec2")).unwrap().on_fargate());
    let again = serde_json::to_string(&stack).unwrap();
    assert_eq!(Stack::from_json(&again).unwrap(), stack);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases = [
        (error(|d| d["pools"][0]["cpus"] = 1.into()), "pools[0].cpus: unknown field `cpus`"),
        (
            error(|d| drop(d["pools"][1].as_object_mut().unwrap().remove("arch"))),
            "pools[1]: missing field `arch`",
        ),
        (error(|d| d["pools"][0]["capacity"][1] = serde_json::json!({"x": "y"})), "pools[0].capacity[1]"),
        (
            error(|d| d["pools"][0]["network"]["subnets"] = serde_json::json!([])),
            "pools[0].network.subnets: is empty",
        ),
        (error(|d| d["pools"][0]["network"] = serde_json::Value::Null), "pools[0].network: is missing"),
        (error(|d| d["pools"][0]["memory"] = 100.into()), "2048 to 8192 MiB"),
        (error(|d| d["pools"][1]["name"] = "small".into()), "pools[1].name: another pool"),
        (error(|d| d["version"] = 2.into()), "version: this fleetfoot reads version 1"),
        (error(|d| d["pools"] = serde_json::json!([])), "pools: is empty"),
        (error(|d| d["cluster"] = " ".into()), "cluster: is empty"),
        (error(|d| d["pools"][0]["name"] = "a b".into()), "pools[0].name"),
        (Stack::from_json("{\"version\": 1,").unwrap_err().to_string(), "line 1"),
        (Stack::from_json(&format!("{} x", document())).unwrap_err().to_string(), "line 1"),
    ];
    for (text, want) in cases {
        assert!(text.contains(want), "{text:?} should hold {want:?}");
    }
}

/// A document with windows and an adaptive pool, and one change.
fn error_in_time(change: impl FnOnce(&mut serde_json::Value)) -> String {
    error(|d| {
        d["pools"][0]["max"] = 20.into();
        d["pools"][0]["adaptive"] =
            serde_json::json!({ "p": 0.9, "max_warm": 10, "time_zone": "Europe/Berlin" });
        d["pools"][0]["schedules"] = serde_json::json!([
            { "cron": "0 8 * * mon-fri", "for": "10h", "time_zone": "Europe/Berlin", "warm": 5 }
        ]);
        d["scale_sets"] = serde_json::json!([{
            "name": "one", "pool": "small", "min": 1, "max": 5,
            "schedules": [{ "cron": "0 0 * * *", "for": "8h", "min": 0, "max": 2 }]
        }]);
        change(d);
    })
}

#[test]
fn what_is_wrong_with_windows_is_said_with_its_place() {
    let (pool, set) = ("pools[0].schedules[0]", "scale_sets[0].schedules[0]");
    let of_pool = |field: &str, value: serde_json::Value| {
        error_in_time(|d| d["pools"][0]["schedules"][0][field] = value)
    };
    let of_set = |value: serde_json::Value| error_in_time(|d| d["scale_sets"][0]["schedules"][0] = value);
    let adaptive =
        |field: &str, value: serde_json::Value| error_in_time(|d| d["pools"][0]["adaptive"][field] = value);
    let cases = [
        (of_pool("cron", "0 8 * *".into()), format!("{pool}.cron: \"0 8 * *\" has 4 fields")),
        (of_pool("cron", "0 8 * * moon".into()), format!("{pool}.cron: \"moon\" is no day of the week")),
        (of_pool("for", "10".into()), format!("{pool}.for: \"10\" is no length of time")),
        (of_pool("for", 10.into()), format!("{pool}.for: invalid type: integer `10`, expected a string")),
        (
            of_pool("time_zone", "Berlin".into()),
            format!("{pool}.time_zone: there is no time zone \"Berlin\""),
        ),
        (of_pool("warm", 21.into()), format!("{pool}.warm: is above the pool's max")),
        (of_pool("max", 5.into()), format!("{pool}.max: unknown field `max`")),
        (
            of_set(serde_json::json!({ "cron": "0 0 * * *", "for": "1h" })),
            format!("{set}: changes nothing; give it a min, a max or both"),
        ),
        (
            of_set(serde_json::json!({ "cron": "0 0 * * *", "for": "1h", "min": 6 })),
            format!("{set}.min: while it is open, min is 6 and max is 5"),
        ),
        (
            of_set(serde_json::json!({ "cron": "0 0 * * *", "for": "1h", "max": 0 })),
            format!("{set}.max: while it is open, min is 1 and max is 0"),
        ),
        (of_set(serde_json::json!({ "cron": "0 0 * * *", "max": 2 })), format!("{set}: missing field `for`")),
        (adaptive("p", 1.into()), "pools[0].adaptive.p: is a share of jobs".into()),
        (adaptive("p", 0.0.into()), "pools[0].adaptive.p: is a share of jobs".into()),
        (adaptive("max_warm", 0.into()), "pools[0].adaptive.max_warm: is 1 to 100".into()),
        (adaptive("max_warm", 21.into()), "pools[0].adaptive.max_warm: is above the pool's max".into()),
        (adaptive("warm", 1.into()), "pools[0].adaptive.warm: unknown field `warm`".into()),
    ];
    for (text, want) in cases {
        assert!(text.contains(&want), "{text:?} should hold {want:?}");
    }
}

/// Scale sets by name and address, and what is wrong with them.
fn error_of_sets(sets: &[(&str, Option<&str>)]) -> String {
    error(|d| d["scale_sets"] = sets_at(sets))
}

fn sets_at(sets: &[(&str, Option<&str>)]) -> serde_json::Value {
    let set = |(name, url): &(&str, Option<&str>)| match url {
        Some(url) => serde_json::json!({ "name": name, "pool": "small", "url": url }),
        None => serde_json::json!({ "name": name, "pool": "small" }),
    };
    sets.iter().map(set).collect()
}

#[test]
fn a_scale_set_s_name_is_its_own_where_it_is() {
    let twice = "scale_sets[1].name: another scale set at https://github.com/acme has this name";
    assert_eq!(error_of_sets(&[("linux", None), ("Linux", None)]), twice);
    for same in ["https://github.com/acme", "https://GitHub.com/Acme/", "https://github.com/acme.git"] {
        let text = error_of_sets(&[("linux", None), ("linux", Some(same))]);
        assert_eq!(text, twice.replace("https://github.com/acme", same));
    }
    let mut document = document();
    document["scale_sets"] = sets_at(&[
        ("linux", Some("https://github.com/umbrella")),
        ("linux", None),
        ("linux", Some("https://github.com/acme/shop")),
        ("arm", Some("https://github.com/Umbrella/")),
    ]);
    let stack = Stack::from_json(&document.to_string()).unwrap();
    let places = ["https://github.com/acme", "https://github.com/umbrella", "https://github.com/acme/shop"];
    assert_eq!(stack.places(), places);
    let at: Vec<usize> = stack.scale_sets.iter().map(|set| stack.place_of(set)).collect();
    assert_eq!(at, [1, 0, 2, 1]);
    assert_eq!(serde_json::to_value(&stack).unwrap()["scale_sets"][1].get("url"), None);
}

#[test]
fn a_scale_set_is_at_the_stack_s_github() {
    let elsewhere = error_of_sets(&[("linux", None), ("linux", Some("https://git.acme.dev/acme"))]);
    assert!(
        elsewhere.starts_with("scale_sets[1].url: https://git.acme.dev is another GitHub than"),
        "{elsewhere}"
    );
    for nothing in ["acme", "https://github.com", "https://github.com/", "https:///acme"] {
        let text = error_of_sets(&[("linux", Some(nothing))]);
        assert!(text.starts_with(&format!("scale_sets[0].url: {nothing:?} is no address")), "{text}");
    }
}

#[test]
fn a_document_with_windows_is_written_as_it_was_read() {
    let mut document = document();
    document["pools"][1]["schedules"] = serde_json::json!([{ "cron": "0 8 * * mon-fri", "for": "10h", "time_zone": "Europe/Berlin", "warm": 5 }]);
    document["pools"][1]["adaptive"] = serde_json::json!({ "p": 0.9, "max_warm": 10, "time_zone": "UTC" });
    let stack = Stack::from_json(&document.to_string()).unwrap();
    assert!(stack.pools[1].is_kept_warm() && !stack.pools[0].is_kept_warm());
    let again = serde_json::to_value(&stack).unwrap();
    for field in ["schedules", "adaptive"] {
        assert_eq!(again["pools"][1][field], document["pools"][1][field]);
        assert_eq!(again["pools"][0].get(field), None);
    }
}

#[test]
fn the_document_in_the_manual_is_one() {
    let manual = include_str!("../../../../docs/aws.md");
    let from = manual.find("{ \"version\": 1").unwrap();
    let to = from + manual[from..].find("```").unwrap();
    let stack = Stack::from_json(&manual[from..to]).unwrap();
    assert_eq!(stack.pools.len(), 2);
}

#[test]
fn a_pasted_key_is_not_repeated() {
    let text = error(|d| d["github"]["app"]["key"] = "-----BEGIN PRIVATE KEY-----s3cret".into());
    assert!(text.starts_with("github.app.key: a key is named as"), "{text}");
    assert!(!text.contains("s3cret"));
}

#[test]
fn an_unknown_pool_is_told_with_those_there_are() {
    let stack = Stack::from_json(&document().to_string()).unwrap();
    let text = stack.pool(Some("big")).unwrap_err().to_string();
    assert_eq!(text, "the stack prod has no pool \"big\"; it has: small, ec2");
}
