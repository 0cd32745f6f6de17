//! A RAW zone that was removed and made again: who had read the old one steers nothing in the new one (F29).

use super::actors::{describe, open_raw, raw_zone_id, spec_digest};
use super::retention::{commit_rows, prepared};
use super::world::World;
use crate::zone::{Zone, ZoneError, ZoneReader};

/// A consumer has read the old zone and comes to register, or to say how far it has come.
#[test]
fn a_reader_of_the_zone_that_stood_here_before_joins_no_other() {
    let world = World::new();
    let files = || world.memory.files_below(World::url().directory());
    let make = |surroundings| async move {
        let mut zone = open_raw(&surroundings).await?;
        commit_rows(&mut zone, 3).await?;
        ZoneReader::open(surroundings).await.map_err(|error| describe(&error))
    };
    let join = |reader| async move {
        let joined = Zone::join(&reader, spec_digest()).await;
        Ok((matches!(joined, Err(ZoneError::Replaced { .. })), reader))
    };
    let reader = prepared(&world, make(world.calm())).expect("made");
    world.remove_zone();
    prepared(&world, make(world.calm())).expect("made again");
    let before = files();
    let (is_refused, reader) = prepared(&world, join(reader)).expect("it ends");
    assert!(is_refused && files() == before, "nothing is written into the new zone");
    world.remove_zone();
    let (is_refused, _) = prepared(&world, join(reader)).expect("it ends");
    assert!(is_refused && files().is_empty(), "nor is one made where none is");
}

/// The same zone is joined, by its reader, with everything that a consumer says.
#[test]
fn a_reader_of_the_zone_that_stands_here_joins_it() {
    let world = World::new();
    let surroundings = world.calm();
    prepared(&world, async move {
        drop(open_raw(&surroundings).await?);
        let reader = ZoneReader::open(surroundings).await.map_err(|error| describe(&error))?;
        let mut zone = Zone::join(&reader, spec_digest()).await.map_err(|error| describe(&error))?;
        drop(zone.register(raw_zone_id(), "library/books".to_owned()).await.map_err(|error| describe(&error))?);
        assert_eq!(zone.fold().consumers().len(), 1);
        Ok(())
    })
    .expect("joined");
}
