//! What is said of samples: medians, ratios of pairs, and how sure of them one can be.

/// The value in the middle; none of none.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[middle - 1], upper))
}

/// A median, and between what it lies with 95 % certainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// The median.
    pub(crate) median: f64,
    /// The lower end of the interval.
    pub(crate) low: f64,
    /// The upper end of the interval.
    pub(crate) high: f64,
}

/// The median with its interval from the order of the values alone: nothing is assumed about how
/// they are distributed. Under six values the interval is their whole range, and a weaker claim.
pub(crate) fn estimate(values: &[f64]) -> Option<Estimate> {
    let sorted = sorted(values);
    let median = median(values)?;
    let left_out = outside(sorted.len());
    let low = sorted[left_out];
    let high = sorted[sorted.len() - 1 - left_out];
    Some(Estimate { median, low, high })
}

/// First over second, pair by pair.
pub(crate) fn ratios(first: &[f64], second: &[f64]) -> Vec<f64> {
    first.iter().zip(second).map(|(one, other)| one / other).collect()
}

/// How many values may be left out at each end so that the median is still between the rest with
/// 95 % certainty: the sign test, with the binomial distribution summed up.
fn outside(count: usize) -> usize {
    let trials = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    // The chance of no value below the median, then of one, of two …
    let mut chance = 0.5_f64.powf(trials);
    let mut sum = chance;
    let mut left_out = 0;
    let mut below = 0.0;
    while sum <= 0.025 && left_out < count / 2 {
        left_out += 1;
        chance *= (trials - below) / (below + 1.0);
        below += 1.0;
        sum += chance;
    }
    left_out.saturating_sub(1)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, wanted) in [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[4.0, 1.0], Some(2.5)),
            (&[9.0, 1.0, 5.0], Some(5.0)),
            (&[4.0, 1.0, 3.0, 2.0], Some(2.5)),
        ] {
            assert_eq!(median(values), wanted, "{values:?}");
        }
    }

    /// Against the tables of the sign test: rank of the lower end, counted from 1.
    #[test]
    fn intervals_are_those_of_the_tables() {
        for (count, rank) in
            [(1, 1), (5, 1), (6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (30, 10)]
        {
            assert_eq!(outside(count) + 1, rank, "{count} values");
        }
    }

    #[test]
    fn an_estimate_of_fifteen() {
        let values: Vec<f64> = (1..=15).rev().map(f64::from).collect();
        let wanted = Estimate { median: 8.0, low: 4.0, high: 12.0 };
        assert_eq!(estimate(&values), Some(wanted));
        assert_eq!(estimate(&[]), None);
    }

    /// Of many samples of a known median, about one interval in twenty may miss it.
    #[test]
    fn intervals_hold_what_they_promise() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Skewed, as times are: the median of u² is 0.25.
            let unit =
                f64::from(u32::try_from(state >> 32).expect("32 bits")) / f64::from(u32::MAX);
            unit * unit
        };
        let held = (0..2000)
            .filter(|_| {
                let values: Vec<f64> = (0..15).map(|_| next()).collect();
                let found = estimate(&values).expect("there are values");
                found.low <= 0.25 && 0.25 <= found.high
            })
            .count();
        assert!(held >= 1900, "{held} of 2000");
    }

    #[test]
    fn ratios_are_of_pairs() {
        assert_eq!(ratios(&[1.0, 9.0], &[2.0, 3.0]), [0.5, 3.0]);
    }
}
