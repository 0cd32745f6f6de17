//! Rotated credentials: mounted files are looked at again and again, and a change makes the worker join its group anew.
//!
//! librdkafka takes certificates and passwords when a client is made. So what was read is committed, the member leaves
//! its group in order, and the next one comes with what the files hold now. No restart, and no message twice: the log
//! says where to go on.

use std::pin::pin;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::exit::Failure;
use crate::ingest::Summary;
use crate::kafka::Connection;
use crate::secrets;

/// How often the files are looked at: the kubelet brings a change within about a minute, and the old credentials are
/// usually good for a while.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// Runs with the connection that `resolve` gives, and runs again whenever it gives another, until `cancel` or the end.
///
/// `run` gets a token that asks it to commit and to leave.
///
/// # Errors
/// The first connection can't be had, or `run` fails.
pub async fn follow(
    resolve: impl Fn() -> Result<Connection, secrets::Error>,
    interval: Duration,
    cancel: &CancellationToken,
    run: impl AsyncFn(Connection, CancellationToken) -> Result<Summary, Failure>,
) -> Result<Summary, Failure> {
    let mut connection = resolve()?;
    let mut total = Summary::default();
    loop {
        let round = cancel.child_token();
        let mut running = pin!(run(connection.clone(), round.clone()));
        let next = tokio::select! {
            outcome = &mut running => {
                total.add(outcome?);
                return Ok(total);
            }
            next = changed(&connection, &resolve, interval) => next,
        };
        tracing::info!("the credentials for Kafka have changed; the worker joins its group anew");
        round.cancel();
        total.add(running.await?);
        if cancel.is_cancelled() {
            return Ok(total);
        }
        connection = next;
    }
}

/// Returns the next connection that differs. While a file is missing or half-written the old one is good enough.
async fn changed(
    current: &Connection,
    resolve: &impl Fn() -> Result<Connection, secrets::Error>,
    interval: Duration,
) -> Connection {
    loop {
        tokio::time::sleep(interval).await;
        match resolve() {
            Ok(next) if next != *current => return next,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "credentials can't be read now"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::exit::Exit;

    const SOON: Duration = Duration::from_millis(1);

    fn with_password(password: &str) -> Connection {
        Connection::plaintext("a:1").with_settings([("sasl.password".to_owned(), password.to_owned())])
    }

    fn one_commit() -> Summary {
        Summary { commits: 1, messages: 10, ..Summary::default() }
    }

    #[tokio::test]
    async fn a_change_ends_the_membership_in_order_and_joins_with_the_new_credentials() {
        let joined = RefCell::new(Vec::new());
        let resolve = || Ok(with_password(if joined.borrow().is_empty() { "old" } else { "new" }));
        let cancel = CancellationToken::new();
        let run = async |connection: Connection, round: CancellationToken| {
            joined.borrow_mut().push(connection);
            if joined.borrow().len() == 2 {
                cancel.cancel();
            }
            round.cancelled().await;
            Ok(one_commit())
        };
        let summary = follow(resolve, SOON, &cancel, run).await.expect("both rounds end in order");
        assert_eq!(joined.into_inner(), [with_password("old"), with_password("new")]);
        assert_eq!((summary.commits, summary.messages), (2, 20));
    }

    #[tokio::test]
    async fn a_file_that_is_missing_for_a_while_changes_nothing() {
        let looks = RefCell::new(0);
        let missing = || secrets::Error::NotGiven {
            field: "spec".to_owned(),
            holder: secrets::Holder::Secret,
            name: "books".to_owned(),
            key: "password".to_owned(),
        };
        let resolve = || {
            *looks.borrow_mut() += 1;
            if *looks.borrow() == 1 { Ok(with_password("old")) } else { Err(missing()) }
        };
        let rounds = RefCell::new(0);
        let run = async |_: Connection, _: CancellationToken| {
            *rounds.borrow_mut() += 1;
            while *looks.borrow() < 5 {
                tokio::task::yield_now().await;
            }
            Ok(one_commit())
        };
        follow(resolve, SOON, &CancellationToken::new(), run).await.expect("it ends by itself");
        assert_eq!(rounds.into_inner(), 1);
    }

    #[tokio::test]
    async fn a_failure_ends_it() {
        let failure = || Failure { exit: Exit::Kafka, reason: "SourceUnavailable", message: "gone".to_owned() };
        let run = async |_: Connection, _: CancellationToken| Err(failure());
        let outcome = follow(|| Ok(with_password("old")), SOON, &CancellationToken::new(), run).await;
        assert_eq!(outcome.expect_err("it fails").exit, Exit::Kafka);
    }
}
