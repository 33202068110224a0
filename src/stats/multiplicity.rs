//! Several questions in one verdict: keeping the chance of any false answer
//! where one question's would be.

/// Holm's step-down adjustment (1979): p-values that may each be compared with
/// the error allowed for all of them together. In the order given.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        let remaining = (p_values.len() - rank) as f64;
        largest = largest.max((remaining * p_values[index]).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

/// The confidence at which each of `questions` is decided so that all answers
/// together are right with `confidence` (Bonferroni: valid under any dependence).
#[must_use]
pub fn confidence_each(confidence: f64, questions: usize) -> f64 {
    1.0 - (1.0 - confidence) / questions.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn holm_adjusts_as_worked_by_hand() {
        assert_eq!(holm(&[0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]);
        assert_eq!(holm(&[]), [0.0; 0]);
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    }

    proptest! {
        #[test]
        fn adjusted_values_keep_their_order_and_never_shrink(p in prop::collection::vec(0.0..1.0_f64, 1..20)) {
            let adjusted = holm(&p);
            for i in 0..p.len() {
                prop_assert!(adjusted[i] >= p[i] && adjusted[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
                }
            }
        }
    }

    #[test]
    fn twelve_questions_at_99_percent() {
        assert!((confidence_each(0.99, 10) - 0.999).abs() < 1e-12);
        assert!((confidence_each(0.99, 0) - 0.99).abs() < 1e-12);
    }
}
