//! Reads the notation that `session.txt` explains.
#![allow(dead_code, reason = "each test takes the frames in its own way")]

use std::collections::{BTreeMap, VecDeque};

/// The frames of one file by exchange and direction, each to be taken once, in order.
pub struct Exchanges {
    frames: BTreeMap<(String, char), VecDeque<Vec<u8>>>,
}

impl Exchanges {
    pub fn parse(text: &str) -> Self {
        let mut frames = BTreeMap::<_, VecDeque<Vec<u8>>>::new();
        let (mut name, mut direction) = (String::new(), '>');
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (mark, rest) = line.split_at(1);
            match mark {
                "=" => name = rest.trim().to_owned(),
                ">" | "<" => {
                    direction = if mark == ">" { '>' } else { '<' };
                    let key = (name.clone(), direction);
                    frames.entry(key).or_default().push_back(bytes(rest));
                }
                " " => {
                    let queue = frames.get_mut(&(name.clone(), direction)).expect("a frame above");
                    queue.back_mut().expect("a frame above").extend(bytes(rest));
                }
                _ => panic!("not a line of vectors: {line}"),
            }
        }
        Self { frames }
    }

    pub fn request(&mut self, name: &str) -> Vec<u8> {
        self.take(name, '>')
    }

    pub fn response(&mut self, name: &str) -> Vec<u8> {
        self.take(name, '<')
    }

    /// All frames, whatever they belong to.
    pub fn into_frames(self) -> impl Iterator<Item = Vec<u8>> {
        self.frames.into_values().flatten()
    }

    fn take(&mut self, name: &str, direction: char) -> Vec<u8> {
        let queue = self.frames.get_mut(&(name.to_owned(), direction));
        queue.and_then(VecDeque::pop_front).unwrap_or_else(|| panic!("no {direction} {name}"))
    }

    /// Panics if a frame was not taken, and so was not tested.
    pub fn assert_all_seen(&self) {
        let left: Vec<_> = self.frames.iter().filter(|(_, queue)| !queue.is_empty()).collect();
        assert!(left.is_empty(), "not tested: {left:?}");
    }
}

fn bytes(words: &str) -> Vec<u8> {
    let tokens = words.split_whitespace().filter(|token| *token != "|");
    let runs = tokens.map(|token| {
        let (byte, count) = token.split_once('*').unwrap_or((token, "1"));
        vec![u8::from_str_radix(byte, 16).unwrap(); count.parse().unwrap()]
    });
    runs.flatten().collect()
}
