//! Several members of one group on the mock cluster.

use gristmill::ingest::{self, Options};

use crate::broker::Topic;
use crate::landed::Landed;
use crate::{assert_accounted, books, catch_up, folder, plan};

/// Returns when the worker has been given its partitions.
async fn joined(options: &Options) {
    while !options.board.is_ready() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocation_in_the_middle_of_a_file_commits_it_before_the_partitions_are_handed_over() {
    let topic = Topic::create("handed-over", 8);
    let sent = books(11, 200);
    topic.send_books(&sent);
    let folder = folder();
    let mut plan = plan(&topic, folder.path());
    // No file is due by itself: only the hand-over commits.
    plan.max_age = std::time::Duration::from_secs(3600);
    let (first, second) = (Options::new(&plan), Options::new(&plan));
    let newcomer = second.clone();
    let scenario = async {
        first.board.wait_until_read(200).await;
        assert_eq!(Landed::read(&plan).await.commits, 0, "nothing is due");
        let join = async {
            joined(&second).await;
            let landed = Landed::read(&plan).await;
            assert_accounted(&landed, &sent);
            assert_eq!(landed.commits, 1, "the file is committed whole");
            first.cancel.cancel();
            second.cancel.cancel();
        };
        let (outcome, ()) = tokio::join!(ingest::run(&plan, newcomer), join);
        outcome.expect("it drains");
    };
    let (outcome, ()) = tokio::join!(ingest::run(&plan, first.clone()), scenario);
    let summary = outcome.expect("it drains");
    assert_eq!((summary.commits, summary.messages), (1, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_members_of_which_one_is_killed_and_one_leaves_commit_each_message_once() {
    let topic = Topic::create("three-members", 8);
    let (first, second) = (books(12, 400), books(13, 400));
    topic.send_books(&first);
    let folder = folder();
    let mut plan = plan(&topic, folder.path());
    plan.max_age = std::time::Duration::from_secs(1);
    let members = [Options::new(&plan), Options::new(&plan), Options::new(&plan)];
    let [killed, leaving, staying] = members.clone();
    let stays = staying.clone();
    let kill = tokio_util::sync::CancellationToken::new();
    let killed_run = async {
        tokio::select! {
            outcome = ingest::run(&plan, killed) => panic!("it ended by itself: {outcome:?}"),
            () = kill.cancelled() => {}
        }
    };
    let scenario = async {
        for member in &members {
            joined(member).await;
        }
        kill.cancel();
        leaving.cancel.cancel();
        topic.send_books(&second);
        let mut reports = staying.board.subscribe();
        let all = reports.wait_for(|report| {
            report.messages.accepted + report.messages.rejected == 800 && report.unpublished.is_none()
        });
        all.await.expect("it runs");
        staying.cancel.cancel();
    };
    let (_, left, stayed, ()) =
        tokio::join!(killed_run, ingest::run(&plan, leaving.clone()), ingest::run(&plan, stays), scenario);
    left.expect("it drains");
    stayed.expect("it drains");
    catch_up(&plan).await.expect("there is nothing to do");
    assert_accounted(&Landed::read(&plan).await, &[first, second].concat());
}
