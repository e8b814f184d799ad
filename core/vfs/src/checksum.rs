//! SQLite's WAL checksum, in the byte order of the machine, as SQLite itself writes it here.
//!
//! <https://www.sqlite.org/fileformat2.html#checksum_algorithm>

/// The two running sums.
pub(crate) type Sums = [u32; 2];

/// Extends `sums` over `bytes`, whose length must be a multiple of eight.
pub(crate) fn extend(sums: Sums, bytes: &[u8]) -> Sums {
    debug_assert_eq!(bytes.len() % 8, 0);
    let [mut first, mut second] = sums;
    let (pairs, _) = bytes.as_chunks::<8>();
    for pair in pairs {
        let [a, b, c, d, e, f, g, h] = *pair;
        first = first.wrapping_add(u32::from_ne_bytes([a, b, c, d])).wrapping_add(second);
        second = second.wrapping_add(u32::from_ne_bytes([e, f, g, h])).wrapping_add(first);
    }
    [first, second]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_chain_over_a_cut() {
        let bytes: Vec<u8> = (0..64).collect();
        let whole = extend([0, 0], &bytes);
        assert_eq!(extend(extend([0, 0], &bytes[..24]), &bytes[24..]), whole);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn known_sums() {
        // By hand: first = 1 + 0, second = 2 + 1; then first = 1 + 3 + 3, second = 3 + 4 + 7.
        let words = [1_u32, 2, 3, 4];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(extend([0, 0], &bytes), [7, 14]);
    }
}
