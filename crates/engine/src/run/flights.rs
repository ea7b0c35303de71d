//! Attempts in flight, by their units. One starts and one lands with each unit of a run, so both cost the same however many
//! there are: a place in a short list, and of every unit where in it its own is.

use crate::ids::UnitIx;
use crate::run::tables::Flight;

/// Attempts in flight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flights {
    /// In no order that means anything.
    list: Vec<(UnitIx, Flight)>,
    /// Of each unit its place in the list, from 1; 0 or missing if none of it is in flight.
    place_of: Vec<u32>,
}

impl Flights {
    /// Makes room for the places of so many units.
    pub(crate) fn of(units: usize) -> Self {
        Self { list: Vec::new(), place_of: vec![0; units] }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn get(&self, unit: UnitIx) -> Option<Flight> {
        self.place(unit).map(|place| self.list[place].1)
    }

    pub(crate) fn contains(&self, unit: UnitIx) -> bool {
        self.place(unit).is_some()
    }

    /// Notes an attempt; of a unit that has one in flight it takes its place.
    pub(crate) fn insert(&mut self, unit: UnitIx, flight: Flight) {
        match self.place(unit) {
            Some(place) => self.list[place].1 = flight,
            None => {
                self.list.push((unit, flight));
                self.set_place(unit, self.list.len());
            }
        }
    }

    pub(crate) fn remove(&mut self, unit: UnitIx) -> Option<Flight> {
        let place = self.place(unit)?;
        let (_, flight) = self.list.swap_remove(place);
        self.place_of[unit.ix()] = 0;
        if let Some(&(moved, _)) = self.list.get(place) {
            self.set_place(moved, place + 1);
        }
        Some(flight)
    }

    /// Takes all out; their units, in the order of their numbers.
    pub(crate) fn take(&mut self) -> Vec<UnitIx> {
        let units = self.units();
        for unit in &units {
            self.place_of[unit.ix()] = 0;
        }
        self.list.clear();
        units
    }

    /// Units in flight, in the order of their numbers.
    pub(crate) fn units(&self) -> Vec<UnitIx> {
        self.sorted().into_iter().map(|(unit, _)| unit).collect()
    }

    /// All, in the order of their units' numbers.
    pub(crate) fn sorted(&self) -> Vec<(UnitIx, Flight)> {
        let mut all = self.list.clone();
        all.sort_unstable_by_key(|&(unit, _)| unit);
        all
    }

    fn place(&self, unit: UnitIx) -> Option<usize> {
        self.place_of.get(unit.ix()).and_then(|place| (*place as usize).checked_sub(1))
    }

    fn set_place(&mut self, unit: UnitIx, place: usize) {
        // Items of a later `for_each` come to the units that were there at the start.
        if self.place_of.len() <= unit.ix() {
            self.place_of.resize(unit.ix() + 1, 0);
        }
        // There are fewer places than units.
        self.place_of[unit.ix()] = u32::try_from(place).unwrap_or(0);
    }
}

impl FromIterator<(UnitIx, Flight)> for Flights {
    fn from_iter<T: IntoIterator<Item = (UnitIx, Flight)>>(all: T) -> Self {
        let mut flights = Self::default();
        all.into_iter().for_each(|(unit, flight)| flights.insert(unit, flight));
        flights
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::event::Mode;

    #[test]
    fn flights_are_those_of_a_map() {
        let (mut flights, mut map) = (Flights::of(4), BTreeMap::new());
        // A fixed sequence in which units come, come again and go, also beyond those at the start.
        let mut seed = 1_u32;
        for attempt in 0..2_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let unit = UnitIx((seed >> 16) % 23);
            let flight = Flight { attempt, mode: Mode::Apply, started_at: 0, deadline: 1 };
            if seed >> 31 == 0 {
                flights.insert(unit, flight);
                map.insert(unit, flight);
            } else {
                assert_eq!(flights.remove(unit), map.remove(&unit));
            }
            assert_eq!((flights.get(unit), flights.len()), (map.get(&unit).copied(), map.len()));
            assert_eq!(flights.sorted(), map.iter().map(|(&unit, &flight)| (unit, flight)).collect::<Vec<_>>());
        }
        assert_eq!(flights.take(), map.into_keys().collect::<Vec<_>>());
        assert!(flights.is_empty() && (0..30).all(|unit| !flights.contains(UnitIx(unit))));
    }
}
