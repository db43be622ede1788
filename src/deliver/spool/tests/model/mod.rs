//! Several processes on one directory, beside a plain model of what should be where: whatever they do, and wherever
//! in the middle of it one of them dies.

mod process;
mod world;

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use self::world::World;
use super::fake::Death;

const MAX_BLOCKS: u64 = 8;
const MAX_FILES: usize = 6;
const MAX_PROCESSES: usize = 3;
const HOUR: Duration = Duration::from_secs(3600);
const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Clone, Debug)]
enum Step {
    Start,
    Exit,
    Put { lane: u8, bytes: usize },
    Take,
    LetGo(Index),
    Remove(Index),
    Quarantine(Index),
    Adopt,
    Pass(Duration),
    SetClock(u64),
}

#[derive(Clone, Debug)]
struct Action {
    process: Index,
    step: Step,
    death: Option<Death>,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let index = any::<Index>;
    let step = prop_oneof![
        1 => Just(Step::Start),
        1 => Just(Step::Exit),
        8 => (0..3_u8, 8..4 * 4096_usize).prop_map(|(lane, bytes)| Step::Put { lane, bytes }),
        3 => Just(Step::Take),
        3 => index().prop_map(Step::LetGo),
        2 => index().prop_map(Step::Remove),
        1 => index().prop_map(Step::Quarantine),
        2 => Just(Step::Adopt),
        2 => (1..20 * 24_u32).prop_map(|hours| Step::Pass(hours * HOUR)),
        1 => (0..40_u64).prop_map(|days| Step::SetClock(1_799_000_000_000 + days * 86_400_000)),
    ];
    let death = (0..8_usize, 0..5000_usize, any::<bool>());
    let death = death.prop_map(|(after, torn, done)| Death { after, torn, done });
    let action = (index(), step, prop::option::weighted(0.2, death));
    let action = action.prop_map(|(process, step, death)| Action { process, step, death });
    prop::collection::vec(action, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn the_disk_holds_what_the_model_says(actions in actions()) {
        let mut world = World::new();
        for action in &actions {
            world.act(action);
        }
        world.end();
    }
}

/// An envelope as the model knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Item {
    id: u64,
    lane: u8,
    stamp: u64,
    /// Of two with the same stamp the smaller is the older.
    order: u64,
    blocks: u64,
    expires: Duration,
    is_held: bool,
}

fn envelope(id: u64, bytes: usize) -> Vec<u8> {
    let mut envelope = id.to_le_bytes().to_vec();
    envelope.resize(bytes, u8::try_from(id % 251).unwrap());
    envelope
}

#[track_caller]
fn id_of(found: &[u8]) -> u64 {
    let id = u64::from_le_bytes(*found.first_chunk().unwrap());
    assert_eq!(found, envelope(id, found.len()), "every byte is the same");
    id
}
