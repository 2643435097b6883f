//! Queues under a clock of their own.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::super::ids::Ids;
use super::super::wire::Request;
use super::Sqs;
use super::queue::Queue;
use super::requests::{Batch, Receive};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn receive(rest: &serde_json::Value) -> Receive {
    let mut body = json!({ "QueueUrl": "http://x/1/q" });
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

/// What a receiver gets: bodies and receipts.
fn take(queue: &mut Queue, most: usize, now: Timestamp, ids: &mut Ids) -> Vec<(String, String)> {
    let answer = queue.receive(&receive(&json!({ "MaxNumberOfMessages": most })), now, ids);
    let text = |message: &serde_json::Value, key: &str| message[key].as_str().unwrap().to_owned();
    answer["Messages"]
        .as_array()
        .map(|all| all.iter().map(|it| (text(it, "Body"), text(it, "ReceiptHandle"))).collect())
        .unwrap_or_default()
}

#[test]
fn what_is_not_deleted_comes_back() {
    let (mut queue, mut ids) = (Queue::new(NOW), Ids::new(Some(1)));
    for body in ["a", "b"] {
        queue.put(body.into(), NOW, &mut ids);
    }
    let first = take(&mut queue, 1, NOW, &mut ids);
    assert_eq!(first[0].0, "a");
    let rest = take(&mut queue, 10, NOW, &mut ids);
    assert_eq!(rest.len(), 1, "the other one is hidden");
    queue.delete(&rest[0].1).unwrap();
    let later = NOW + SignedDuration::from_secs(30);
    let again = take(&mut queue, 10, later, &mut ids);
    assert_eq!(again[0].0, "a");
    queue.delete(&first[0].1).unwrap();
    assert_eq!(queue.bodies(), ["a"], "an old receipt has no effect");
    queue.delete(&again[0].1).unwrap();
    assert!(queue.bodies().is_empty());
    assert!(queue.delete("nonsense").unwrap_err().code.ends_with("ReceiptHandleIsInvalid"));
}

#[test]
fn what_is_late_comes_after_what_was_sent_meanwhile() {
    let (mut queue, mut ids) = (Queue::new(NOW), Ids::new(Some(1)));
    let (soon, later) = (NOW + SignedDuration::from_secs(1), NOW + SignedDuration::from_secs(3));
    queue.put("late".into(), later, &mut ids);
    queue.put("soon".into(), soon, &mut ids);
    assert!(take(&mut queue, 10, NOW, &mut ids).is_empty());
    let bodies: Vec<String> = take(&mut queue, 10, later, &mut ids).into_iter().map(|it| it.0).collect();
    assert_eq!(bodies, ["soon", "late"]);
}

#[test]
fn a_poll_waits_for_what_comes_and_no_longer_than_it_asked() {
    let mut sqs = Sqs::new("eu-west-1", "1");
    sqs.endpoint = "http://x".into();
    let (url, mut ids) = (sqs.ensure("q", NOW), Ids::new(Some(1)));
    let poll = |target: &str, seconds: u64| Request {
        headers: vec![("x-amz-target".into(), target.into())],
        body: json!({ "QueueUrl": url, "WaitTimeSeconds": seconds }).to_string().into_bytes(),
        ..Request::default()
    };
    let long = poll("AmazonSQS.ReceiveMessage", 20);
    let wait = |sqs: &Sqs, request: &Request, seconds| {
        sqs.wait(request, NOW, NOW + SignedDuration::from_secs(seconds)).map(|wait| wait.as_secs())
    };
    assert_eq!(wait(&sqs, &long, 0), Some(20));
    assert_eq!(wait(&sqs, &long, 19), Some(1));
    assert_eq!(wait(&sqs, &long, 20), None);
    assert_eq!(wait(&sqs, &poll("AmazonSQS.ReceiveMessage", 0), 0), None);
    assert_eq!(wait(&sqs, &poll("AmazonSQS.ReceiveMessage", 21), 0), None, "it is refused at once");
    assert_eq!(wait(&sqs, &poll("AmazonSQS.DeleteMessage", 20), 0), None);
    sqs.put("q", "m".into(), NOW + SignedDuration::from_secs(5), &mut ids);
    assert_eq!(wait(&sqs, &long, 0), Some(5));
    assert_eq!(wait(&sqs, &long, 5), None);
}

#[test]
fn what_is_out_of_range_is_refused() {
    for (rest, word) in [
        (json!({ "MaxNumberOfMessages": 11 }), "MaxNumberOfMessages"),
        (json!({ "MaxNumberOfMessages": 0 }), "MaxNumberOfMessages"),
        (json!({ "WaitTimeSeconds": 21 }), "WaitTimeSeconds"),
        (json!({ "VisibilityTimeout": 43_201 }), "VisibilityTimeout"),
    ] {
        let error = receive(&rest).check(20).unwrap_err();
        assert!(error.message.contains(word), "{error}");
    }
    let batch = |ids: &[&str]| {
        let entry = |id: &&str| json!({ "Id": id, "ReceiptHandle": "r".repeat(40) });
        let entries: Vec<_> = ids.iter().map(entry).collect();
        let batch = json!({ "QueueUrl": "u", "Entries": entries });
        serde_json::from_value::<Batch>(batch).unwrap().check().map_err(|error| error.code)
    };
    assert_eq!(batch(&["1", "2"]), Ok(()));
    assert!(batch(&[]).unwrap_err().ends_with("EmptyBatchRequest"));
    assert!(batch(&["1", "1"]).unwrap_err().ends_with("BatchEntryIdsNotDistinct"));
    assert!(batch(&["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]).is_err());
}
