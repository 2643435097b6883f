//! Thousands of stories that chance has written.

use crate::cloud::Telling;
use crate::story::Story;

#[test]
fn no_story_breaks_a_law() {
    let telling = Telling {
        test: "no_story_breaks_a_law",
        target: "engine",
        stories: 3000,
        how_many: "FLEETFOOT_SIM_SEEDS",
        which: "FLEETFOOT_SIM_SEED",
    };
    telling.no_story_breaks_a_law(|seed, traced| Story::of(seed).tell(traced));
}
