//! A table whose keys are never mistaken for one another: each slot counts how often it was given out.
//!
//! An event that was already fetched may belong to a source that was closed a moment ago and whose
//! slot, or whose descriptor number, is in use again (epoll(7), "event cache"). Its generation tells.

use std::fmt;

/// Names one value of one [`Slots`] table, for as long as that value is in it: the index of its slot and
/// the slot's generation, in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(usize);

impl Key {
    /// The key in one number, as the kernel hands it back with an event.
    #[must_use]
    pub const fn pack(self) -> usize {
        self.0
    }

    /// The opposite of [`Key::pack`].
    #[must_use]
    pub const fn unpack(packed: usize) -> Self {
        Self(packed)
    }

    const fn new(index: usize, generation: usize) -> Self {
        Self((generation & GENERATION_MASK) << INDEX_BITS | index)
    }

    const fn index(self) -> usize {
        self.0 & INDEX_MASK
    }

    const fn generation(self) -> usize {
        self.0 >> INDEX_BITS
    }
}

/// The slot and, from its second use on, how often it was used before.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation() {
            0 => write!(f, "{}", self.index()),
            generation => write!(f, "{}.{generation}", self.index()),
        }
    }
}

/// Values under generational keys; insertion and removal cost O(1).
#[derive(Debug)]
pub struct Slots<T> {
    entries: Vec<Entry<T>>,
    vacant: Vec<usize>,
}

#[derive(Debug)]
struct Entry<T> {
    generation: usize,
    value: Option<T>,
}

impl<T> Slots<T> {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new(), vacant: Vec::new() }
    }

    /// The key that the next [`Slots::insert`] will return.
    #[must_use]
    pub fn next_key(&self) -> Key {
        match self.vacant.last() {
            Some(&index) => Key::new(index, self.entries[index].generation),
            None => Key::new(self.entries.len(), 0),
        }
    }

    /// Puts a value in and names it.
    pub fn insert(&mut self, value: T) -> Key {
        let key = self.next_key();
        debug_assert!(self.entries.len() <= INDEX_MASK);
        if self.vacant.pop().is_some() {
            self.entries[key.index()].value = Some(value);
        } else {
            self.entries.push(Entry { generation: 0, value: Some(value) });
        }
        key
    }

    /// Takes a value out; its key names nothing any more.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entry_mut(key)?;
        let value = entry.value.take()?;
        entry.generation = (entry.generation + 1) & GENERATION_MASK;
        self.vacant.push(key.index());
        Some(value)
    }

    /// The value of that name.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.entry_mut(key)?.value.as_mut()
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        let entry = self.entries.get(key.index())?;
        if entry.generation == key.generation() { entry.value.as_ref() } else { None }
    }

    /// How many values are in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.vacant.len()
    }

    /// No value is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values with their names, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries.iter().enumerate().filter_map(|(index, entry)| {
            let key = Key::new(index, entry.generation);
            entry.value.as_ref().map(|value| (key, value))
        })
    }

    fn entry_mut(&mut self, key: Key) -> Option<&mut Entry<T>> {
        self.entries.get_mut(key.index()).filter(|entry| entry.generation == key.generation())
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Half of a 64-bit word for the index; of a 32-bit word 20 bits, for a million sources, which leaves
/// 12 for the generation: a stale event would have to be 4096 reuses late within one turn.
const INDEX_BITS: u32 = if usize::BITS == 64 { 32 } else { 20 };
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;
const GENERATION_MASK: usize = usize::MAX >> INDEX_BITS;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn a_reused_slot_does_not_answer_to_the_old_key() {
        let mut slots = Slots::new();
        let old = slots.insert('a');
        assert_eq!(slots.remove(old), Some('a'));
        let new = slots.insert('b');
        assert_eq!(old.index(), new.index());
        assert_eq!(slots.get(old), None);
        assert_eq!(slots.remove(old), None);
        assert_eq!(slots.get(new), Some(&'b'));
    }

    #[test]
    fn however_often_a_slot_is_reused_every_key_is_new() {
        let mut slots = Slots::new();
        let mut old = Vec::new();
        for n in 0..100 {
            let key = slots.insert(n);
            assert!(old.iter().all(|old| slots.get(*old).is_none()), "reuse {n}");
            slots.remove(key);
            old.push(key);
        }
    }

    #[test]
    fn generations_wrap_inside_the_packed_key() {
        let key = Key::new(5, GENERATION_MASK);
        assert_eq!(Key::unpack(key.pack()), key);
    }

    proptest! {
        #[test]
        fn slots_behave_like_a_map(steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..300)) {
            let mut slots = Slots::new();
            let mut model = HashMap::new();
            let mut keys = Vec::new();
            for (step, (insert, which)) in steps.into_iter().enumerate() {
                if insert || keys.is_empty() {
                    let key = slots.insert(step);
                    prop_assert_eq!(model.insert(key, step), None);
                    prop_assert_eq!(Key::unpack(key.pack()), key);
                    keys.push(key);
                } else {
                    let key = keys[which.index(keys.len())];
                    prop_assert_eq!(slots.remove(key), model.remove(&key));
                }
                prop_assert_eq!((slots.len(), slots.is_empty()), (model.len(), model.is_empty()));
                let all: HashMap<_, _> = slots.iter().map(|(key, value)| (key, *value)).collect();
                prop_assert_eq!(&all, &model);
                prop_assert!(keys.iter().all(|key| slots.get(*key) == model.get(key)));
            }
        }
    }
}
