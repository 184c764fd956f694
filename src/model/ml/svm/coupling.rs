//! Probabilities of classes from those of pairs of them: Wu, Lin and Weng, "Probability Estimates for Multi-class
//! Classification by Pairwise Coupling" (2004), their second method, to libsvm's precision.

/// Rounds at most.
const ROUNDS: usize = 100;

/// Fills `classes` with their probabilities; `scores` and `sigmoids` are of the pairs, in the order of libsvm.
pub(super) fn coupled(scores: &[f32], sigmoids: &[(f32, f32)], classes: &mut [f32]) {
    let count = classes.len();
    let matrix = quadratic(&pairwise(scores, sigmoids, count), count);
    classes.fill(1.0 / count as f32);
    let enough = 0.005 / count as f32;
    for _ in 0..ROUNDS {
        let mut slopes: Vec<f32> = matrix.chunks_exact(count).map(|row| product(row, classes)).collect();
        let mut whole = product(&slopes, classes);
        if slopes.iter().all(|slope| (slope - whole).abs() < enough) {
            break;
        }
        for (class, row) in matrix.chunks_exact(count).enumerate() {
            let step = (whole - slopes[class]) / row[class];
            let shrink = 1.0 + step;
            classes[class] += step;
            whole = (whole + step * (step * row[class] + 2.0 * slopes[class])) / shrink / shrink;
            slopes.iter_mut().zip(row).for_each(|(slope, number)| *slope = (*slope + step * number) / shrink);
            classes.iter_mut().for_each(|probability| *probability /= shrink);
        }
    }
}

/// The probability of each class against each other, row by row.
fn pairwise(scores: &[f32], sigmoids: &[(f32, f32)], count: usize) -> Vec<f32> {
    const CERTAIN: f32 = 1.0e-7;
    let mut against = vec![0.0; count * count];
    let pairs = (0..count).flat_map(|first| (first + 1..count).map(move |second| (first, second)));
    for ((first, second), (score, (slope, offset))) in pairs.zip(scores.iter().zip(sigmoids)) {
        let probability = 1.0 / (1.0 + (score * slope + offset).exp());
        let probability = probability.clamp(CERTAIN, 1.0 - CERTAIN);
        against[first * count + second] = probability;
        against[second * count + first] = 1.0 - probability;
    }
    against
}

/// The matrix whose quadratic form is least at the probabilities sought.
fn quadratic(against: &[f32], count: usize) -> Vec<f32> {
    let entry = |row: usize, column: usize| {
        if row == column {
            (0..count).filter(|other| *other != row).map(|other| against[other * count + row].powi(2)).sum()
        } else {
            -against[column * count + row] * against[row * count + column]
        }
    };
    (0..count * count).map(|place| entry(place / count, place % count)).collect()
}

fn product(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}
