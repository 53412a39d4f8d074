//! Draws what is asked, beforehand: the records of a file in the order in which they are asked,
//! written to another one. The draws are the same in every run.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// How records are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draw {
    /// Each as likely as any other.
    Uniform,
    /// The one of rank r with a likelihood of 1/r; ranks have no order in the file.
    Zipf,
    /// Each once, in random order, then all once more.
    Shuffled,
}

/// Writes `count` records, drawn from those in `source`, to `tape`.
pub(crate) fn write(source: &Path, width: usize, tape: &Path, count: usize, draw: Draw) -> anyhow::Result<()> {
    let records = std::fs::read(source)?;
    let known = records.len() / width;
    anyhow::ensure!(known > 0, "there is nothing to draw from");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let order = shuffled(known, &mut random);
    let sums = if draw == Draw::Zipf { sums_of_reciprocals(known) } else { Vec::new() };
    let mut out = BufWriter::with_capacity(1 << 20, File::create(tape)?);
    for number in 0..count {
        let record = match draw {
            Draw::Uniform => random.below(known),
            Draw::Shuffled => order[number % known],
            Draw::Zipf => {
                let point = random.unit() * sums[known - 1];
                order[sums.partition_point(|sum| *sum < point).min(known - 1)]
            }
        };
        out.write_all(&records[record * width..(record + 1) * width])?;
    }
    Ok(out.flush()?)
}

fn shuffled(count: usize, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, random.below(last + 1));
    }
    order
}

fn sums_of_reciprocals(count: usize) -> Vec<f64> {
    let mut sum = 0.0;
    let mut rank = 0.0;
    let add = |()| {
        rank += 1.0;
        sum += 1.0 / rank;
        sum
    };
    std::iter::repeat_n((), count).map(add).collect()
}

/// `SplitMix64`: draws need no secrecy, and have to be the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.next()) * bound as u128;
        usize::try_from(product >> 64).unwrap_or(0)
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
