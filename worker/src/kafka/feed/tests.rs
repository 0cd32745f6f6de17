use std::collections::VecDeque;
use std::sync::Mutex;

use gristmill_core::raw::Header;
use tokio::sync::mpsc;

use super::*;
use crate::zone::SystemClock;

/// A member that receives what a test has laid out, and notes what it is asked to do.
#[derive(Default)]
struct Silent(Mutex<Vec<String>>, Mutex<VecDeque<Nothing>>);

/// A message of partition 0 without content.
struct Nothing(i64);

impl Delivered for Nothing {
    fn partition(&self) -> i32 {
        0
    }
    fn offset(&self) -> i64 {
        self.0
    }
    fn timestamp(&self) -> Option<i64> {
        None
    }
    fn leader_epoch(&self) -> Option<i32> {
        None
    }
    fn key(&self) -> Option<&[u8]> {
        None
    }
    fn payload(&self) -> Option<&[u8]> {
        None
    }
    fn headers(&self) -> Vec<Header<'_>> {
        Vec::new()
    }
}

impl Silent {
    fn note(&self, act: String) {
        self.0.lock().expect("nobody panics here").push(act);
    }

    fn acts(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("nobody panics here"))
    }
}

impl Member for Silent {
    type Message<'m> = Nothing;

    async fn receive(&self) -> Received<Nothing> {
        match self.receive_now() {
            Some(received) => received,
            None => std::future::pending().await,
        }
    }

    fn receive_now(&self) -> Option<Received<Nothing>> {
        self.1.lock().expect("nobody panics here").pop_front().map(Received::Message)
    }
    fn assign(&self, positions: &[Position]) -> Result<(), KafkaFault> {
        self.note(format!("assign {:?}", partitions(positions)));
        Ok(())
    }
    fn give_back(&self, partitions: &[i32]) {
        self.note(format!("give back {partitions:?}"));
    }
    fn pause(&self, partitions: &[i32]) -> Result<(), KafkaFault> {
        self.note(format!("pause {partitions:?}"));
        Ok(())
    }
    fn resume(&self, partitions: &[i32]) -> Result<(), KafkaFault> {
        self.note(format!("resume {partitions:?}"));
        Ok(())
    }
    async fn seek(&self, positions: &[Position]) -> Result<(), KafkaFault> {
        self.note(format!("seek {:?}", partitions(positions)));
        Ok(())
    }
    fn mirror(&self, _: &[(i32, i64)]) {}
    async fn leave(self) {}
}

fn at(partition: i32) -> Position {
    Position { partition, offset: 100, leader_epoch: None }
}

/// A feed that owns partitions 0 and 1.
fn feed(member: &Silent) -> (Feed<'_, Silent>, mpsc::Sender<Change>) {
    let (tell, changes) = mpsc::channel(8);
    let mut feed = Feed::new(member, Changes(changes), Arc::new(SystemClock), 1 << 20);
    feed.assign(&[at(0), at(1)]).expect("it is noted");
    member.acts();
    (feed, tell)
}

#[tokio::test]
async fn lost_partition_that_was_not_heard_of_yet_is_not_sought() {
    let member = Silent::default();
    let (mut feed, tell) = feed(&member);
    tell.try_send(Change::Lost(vec![0])).expect("there is room");
    feed.seek(&[at(0), at(1)]).await.expect("it is noted");
    assert_eq!(member.acts(), ["seek [1]"]);
    assert!(matches!(feed.next().await, SourceEvent::Lost(partitions) if partitions == [0]));
}

#[tokio::test]
async fn revoked_partition_stays_ours_until_it_is_given_back() {
    let member = Silent::default();
    let (mut feed, tell) = feed(&member);
    tell.try_send(Change::Revoked(vec![0])).expect("there is room");
    assert!(matches!(feed.next().await, SourceEvent::Revoked(partitions) if partitions == [0]));
    assert!(feed.owns(0) && feed.is_asked_back());
    feed.give_back();
    assert!(!feed.owns(0) && feed.owns(1) && !feed.is_asked_back());
    assert_eq!(member.acts(), ["give back [0]"]);
}

#[tokio::test]
async fn work_goes_on_for_a_grace_while_the_group_waits_and_no_longer() {
    let member = Silent::default();
    let (mut feed, tell) = feed(&member);
    tell.try_send(Change::Revoked(vec![0])).expect("there is room");
    let hour = Duration::from_secs(3600);
    let done = feed.attend(hour, async { tokio::task::yield_now().await }).await.expect("nothing is paused");
    assert_eq!(done, Attended::Done(()));
    let endless = std::future::pending::<()>();
    assert_eq!(feed.attend(Duration::ZERO, endless).await.expect("nothing is paused"), Attended::Interrupted);
}

#[tokio::test]
async fn lost_partitions_end_the_work_at_once() {
    let member = Silent::default();
    let (mut feed, tell) = feed(&member);
    tell.try_send(Change::Lost(vec![1])).expect("there is room");
    let endless = std::future::pending::<()>();
    let hour = Duration::from_secs(3600);
    assert_eq!(feed.attend(hour, endless).await.expect("nothing is paused"), Attended::Interrupted);
    assert!(!feed.owns(1));
}

#[tokio::test]
async fn suspended_feed_takes_partitions_paused_and_goes_on_where_it_stood() {
    let member = Silent::default();
    let (mut feed, _tell) = feed(&member);
    feed.suspend().expect("it is noted");
    feed.assign(&[at(2)]).expect("it is noted");
    feed.stop(1).expect("it is noted");
    feed.go_on().await.expect("it is noted");
    let acts = ["pause [0, 1]", "assign [2]", "pause [2]", "pause [1]", "resume [0, 2]", "seek [0, 2]"];
    assert_eq!(member.acts(), acts);
}

/// 28: messages that were fetched before a seek arrive after it.
#[tokio::test]
async fn schedule_28_messages_from_before_a_seek_are_dropped_whether_they_wait_here_or_arrive_later() {
    let member = Silent::default();
    let (mut feed, _tell) = feed(&member);
    member.1.lock().expect("nobody panics here").extend([100, 101].map(Nothing));
    // Both wait here while the store is waited for.
    let work = async {
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    };
    feed.attend(Duration::from_secs(3600), work).await.expect("nothing is paused");
    feed.seek(&[Position { partition: 0, offset: 150, leader_epoch: None }]).await.expect("it is noted");
    member.1.lock().expect("nobody panics here").extend([102, 149, 150].map(Nothing));
    let SourceEvent::Message(first) = feed.next().await else { panic!("a message is there") };
    assert_eq!(first.0, 150);
}

#[tokio::test]
async fn messages_that_are_here_are_taken_one_by_one_up_to_what_else_comes() {
    let member = Silent::default();
    let (mut feed, tell) = feed(&member);
    assert!(feed.next_if(|_| true).is_none(), "nothing is here");
    member.1.lock().expect("nobody panics here").extend([100, 101, 102].map(Nothing));
    assert_eq!(feed.next_if(|_| true).map(|message| message.0), Some(100));
    assert!(feed.next_if(|_| false).is_none());
    assert_eq!(feed.next_if(|_| true).map(|message| message.0), Some(101), "what was not taken comes again");
    tell.try_send(Change::Revoked(vec![1])).expect("there is room");
    assert!(feed.next_if(|_| true).is_none(), "the rebalance comes first");
    assert!(matches!(feed.next().await, SourceEvent::Revoked(partitions) if partitions == [1]));
    assert_eq!(feed.next_if(|_| true).map(|message| message.0), Some(102));
    assert_eq!((feed.held_bytes(), feed.room()), (0, 1 << 20));
}

#[tokio::test]
async fn messages_that_are_put_back_come_first_and_go_with_their_partition() {
    let member = Silent::default();
    let (mut feed, tell) = feed(&member);
    member.1.lock().expect("nobody panics here").extend([100, 101, 102].map(Nothing));
    let taken: Vec<_> = std::iter::from_fn(|| feed.next_if(|message| message.0 < 102)).collect();
    assert_eq!(taken.len(), 2);
    feed.put_back_messages(taken.into_iter());
    assert_eq!(feed.held_bytes(), 3 * 256);
    assert_eq!(feed.next_if(|_| true).map(|message| message.0), Some(100));
    let SourceEvent::Message(second) = feed.next().await else { panic!("a message is there") };
    feed.put_back_messages(std::iter::once(second));
    tell.try_send(Change::Revoked(vec![0])).expect("there is room");
    feed.assign(&[]).expect("it is noted");
    feed.give_back();
    assert!(feed.next_if(|_| true).is_none(), "partition 0 is others'");
    assert_eq!(feed.held_bytes(), 0);
}
