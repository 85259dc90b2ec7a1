//! Random sequences from a seed against a model: people fill their rosters, subscribe, come, go and show themselves to one
//! another, with restarts in between. Whatever happens, each client's roster and what it has been shown are the model's: nobody
//! sees presence that it may not see, and nobody misses what it should see.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod crowd;
mod meetings;
mod model;
mod moments;
mod steps;
mod view;
#[path = "../world/mod.rs"]
mod world;

use crowd::Weather;
use steps::Run;
use world::World;

const SEEDS: u64 = 300;
const STEPS: usize = 120;

/// On a disk, where each change costs a sync.
const SEEDS_ON_DISK: u64 = 25;
const STEPS_ON_DISK: usize = 100;

#[tokio::test]
async fn random_sequences_leave_every_client_with_the_models_view() {
    for seed in 0..SEEDS {
        let mut run = Run::new(seed, World::new().await).await;
        for _ in 0..STEPS {
            run.step().await;
            run.judge(seed);
        }
    }
}

#[tokio::test]
async fn random_sequences_on_a_disk_that_fails_change_all_or_nothing() {
    for seed in 0..SEEDS / 3 {
        let mut run = Run::new(seed, World::new().await).await;
        for _ in 0..STEPS / 2 {
            run.step().await;
            run.judge(seed);
            run.failing_step().await;
            run.judge(seed);
        }
    }
}

#[tokio::test]
async fn random_sequences_with_restarts_leave_every_client_with_the_models_view() {
    for seed in 0..SEEDS_ON_DISK {
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::new(seed, World::on_disk(&folder.path().join("store")).await).await;
        for step in 1..=STEPS_ON_DISK {
            if step % 25 == 0 {
                run.restart().await;
            }
            run.step().await;
            run.judge(seed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_who_do_everything_at_once_agree_in_the_end() {
    for seed in 0..40 {
        crowd::meet(seed, Weather::Calm).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_who_stop_reading_in_a_flood_miss_nothing_in_the_end() {
    for seed in 0..20 {
        crowd::meet(seed, Weather::Flood).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_and_a_first_presence_at_the_same_moment_meet() {
    let folder = tempfile::tempdir().unwrap();
    meetings::of_a_request_and_a_first_presence(&folder.path().join("store")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_approval_and_presence_at_the_same_moment_agree() {
    let folder = tempfile::tempdir().unwrap();
    meetings::of_an_approval_and_presence(&folder.path().join("store")).await;
}

#[tokio::test]
async fn each_pair_of_acts_at_each_moment_leads_where_one_of_the_orders_leads() {
    let folder = tempfile::tempdir().unwrap();
    for turns in 1..3 {
        moments::each_pair(folder.path(), turns).await;
    }
}

#[tokio::test]
async fn a_request_and_a_first_presence_at_each_moment_meet() {
    let folder = tempfile::tempdir().unwrap();
    meetings::of_a_request_and_each_moment_of_a_first_presence(&folder.path().join("store")).await;
}

#[tokio::test]
async fn of_a_crowd_of_strangers_a_bounded_number_may_ask() {
    crowd::ask().await;
}
