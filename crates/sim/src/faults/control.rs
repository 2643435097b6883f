//! A small address on loopback through which another process arms faults.
//!
//! | call | answer |
//! |---|---|
//! | `GET /faults` | what is armed, what fired, and what there is |
//! | `POST /faults`, body: faults as text | 200 with the same; 400 with what is wrong, and nothing is armed |
//! | `DELETE /faults` | 204; nothing is armed any more |

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::catalogue::catalogue;
use super::plan::{FaultPlan, Faults};

/// The control address of a world. Clones are the same one; it serves until [`Control::shutdown`].
#[derive(Debug, Clone)]
pub struct Control {
    url: String,
    stop: CancellationToken,
    server: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Control {
    /// Serves the control of these faults at an address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(faults: Faults, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}/faults", listener.local_addr()?);
        let router = Router::new().route("/faults", get(show).post(arm).delete(disarm)).with_state(faults);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let server = tokio::spawn(async move {
            let served =
                axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned()).await;
            if let Err(error) = served {
                tracing::error!(%error, "the control of the faults stopped serving");
            }
        });
        Ok(Self { url, stop, server: Arc::new(Mutex::new(Some(server))) })
    }

    /// `http://127.0.0.1:PORT/faults`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops serving and waits for the end of what is being answered.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        if let Some(server) = self.server.lock().await.take()
            && let Err(error) = server.await
        {
            tracing::error!(%error, "the control of the faults broke down");
        }
    }
}

fn state(faults: &Faults) -> Value {
    json!({
        "seed": faults.seed(),
        "armed": faults.armed(),
        "fired": faults.fired(),
        "catalogue": catalogue(),
    })
}

async fn show(State(faults): State<Faults>) -> Json<Value> {
    Json(state(&faults))
}

async fn arm(State(faults): State<Faults>, body: String) -> Response {
    let refuse =
        |message: String| (StatusCode::BAD_REQUEST, Json(json!({ "message": message }))).into_response();
    match body.parse::<FaultPlan>() {
        Ok(plan) if plan.faults.is_empty() => refuse("the body names no fault".to_owned()),
        Ok(_) if body.contains("seed=") => {
            refuse("the seed is given at the start and cannot be changed".to_owned())
        }
        Ok(plan) => {
            plan.faults.into_iter().for_each(|fault| faults.inject(fault));
            Json(state(&faults)).into_response()
        }
        Err(error) => refuse(error.to_string()),
    }
}

async fn disarm(State(faults): State<Faults>) -> StatusCode {
    faults.clear();
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn faults_are_armed_shown_and_disarmed_from_outside() {
        let faults = Faults::default();
        let control = Control::start(faults.clone(), (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let client = reqwest::Client::new();
        let post = async |body: &'static str| {
            let answer = client.post(control.url()).body(body).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
        };
        let (status, shown) = post("ecs-throttle*3\njit-409").await;
        assert_eq!((status, &shown["armed"][0]["fault"]), (200, &json!("ecs-throttle*3")));
        let (status, refused) = post("jit-409 ecs-throttles").await;
        assert_eq!(status, 400);
        assert!(refused["message"].as_str().unwrap().contains("did you mean"), "{refused}");
        for body in ["", "seed=1 jit-409"] {
            assert_eq!(post(body).await.0, 400, "{body}");
        }
        assert_eq!(faults.armed().len(), 2, "what is refused arms nothing");

        let now = jiff::Timestamp::UNIX_EPOCH;
        assert!(faults.takes_name("r", now));
        let shown: Value = client.get(control.url()).send().await.unwrap().json().await.unwrap();
        assert_eq!(shown["fired"], json!([{ "at": "1970-01-01T00:00:00Z", "fault": "jit-409", "on": "r" }]));
        assert_eq!(shown["catalogue"][0]["name"], "ecs-throttle");
        assert_eq!(client.delete(control.url()).send().await.unwrap().status(), 204);
        assert!(faults.armed().is_empty());
        drop(client);
        control.shutdown().await;
    }
}
