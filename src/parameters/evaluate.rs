//! The value of an expression, as pgbench computes it: whole numbers of 64 bits
//! that may not overflow, other numbers as doubles.

use super::random::Random;
use crate::project::query::{Expression, ExpressionNode, Function};
use std::collections::BTreeMap;

/// A value of an expression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Real(f64),
    Boolean(bool),
    Null,
}

impl Value {
    /// As the server's input functions read it; `None` is NULL.
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Integer(value) => Some(value.to_string()),
            Self::Real(value) => Some(value.to_string()),
            Self::Boolean(value) => Some(value.to_string()),
            Self::Null => None,
        }
    }

    /// A value of another parameter.
    pub(super) fn of(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else { return Some(Self::Null) };
        let integer = text.parse().ok().map(Self::Integer);
        let real = || text.parse().ok().map(Self::Real);
        let boolean = || match text {
            "true" | "t" => Some(Self::Boolean(true)),
            "false" | "f" => Some(Self::Boolean(false)),
            _ => None,
        };
        integer.or_else(real).or_else(boolean)
    }
}

/// What an evaluation draws from.
pub(super) struct Scope<'a> {
    pub(super) random: &'a mut Random,
    /// The other parameters of the set.
    pub(super) values: &'a BTreeMap<&'a str, Option<String>>,
    /// What `hash(a)` is seeded with.
    pub(super) default_seed: i64,
}

/// Computes it.
///
/// # Errors
/// What cannot be computed, as a sentence with its part of the expression.
pub(super) fn evaluate(expression: &Expression, text: &str, scope: &mut Scope<'_>) -> Result<Value, String> {
    let place = || format!("`{}`", text.get(expression.span.clone()).unwrap_or(text));
    let value = match &expression.node {
        ExpressionNode::Integer(value) => Value::Integer(*value),
        ExpressionNode::Real(value) => Value::Real(*value),
        ExpressionNode::Boolean(value) => Value::Boolean(*value),
        ExpressionNode::Variable(name) => {
            let value = scope.values.get(name.as_str()).cloned().flatten();
            Value::of(value.as_deref())
                .ok_or_else(|| format!("{} is `{}`, not a number", place(), value.unwrap_or_default()))?
        }
        ExpressionNode::Case(arms, otherwise) => {
            for (condition, value) in arms {
                if evaluate(condition, text, scope)? == Value::Boolean(true) {
                    return evaluate(value, text, scope);
                }
            }
            match otherwise {
                Some(otherwise) => evaluate(otherwise, text, scope)?,
                None => Value::Null,
            }
        }
        ExpressionNode::Apply(function, arguments) => {
            let arguments: Vec<Value> =
                arguments.iter().map(|argument| evaluate(argument, text, scope)).collect::<Result<_, _>>()?;
            apply(*function, &arguments, scope).map_err(|problem| format!("{problem} in {}", place()))?
        }
    };
    match value {
        Value::Real(real) if !real.is_finite() => Err(format!("{} is no number", place())),
        value => Ok(value),
    }
}

const OVERFLOW: &str = "bigint out of range";

fn apply(function: Function, arguments: &[Value], scope: &mut Scope<'_>) -> Result<Value, String> {
    if matches!(function, Function::And | Function::Or) {
        return logic(function, arguments);
    }
    // What is done to NULL is NULL.
    if arguments.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    let are_whole = arguments.iter().all(|argument| matches!(argument, Value::Integer(_)));
    match function {
        Function::Not => Ok(Value::Boolean(!boolean(arguments[0])?)),
        Function::Add | Function::Subtract | Function::Multiply | Function::Divide => {
            arithmetic(function, arguments, are_whole)
        }
        Function::Negate | Function::Abs => match arguments[0] {
            Value::Integer(value) if function == Function::Negate => {
                value.checked_neg().map(Value::Integer).ok_or_else(|| OVERFLOW.into())
            }
            Value::Integer(value) => value.checked_abs().map(Value::Integer).ok_or_else(|| OVERFLOW.into()),
            value if function == Function::Negate => Ok(Value::Real(-real(value)?)),
            value => Ok(Value::Real(real(value)?.abs())),
        },
        Function::Equal
        | Function::NotEqual
        | Function::Less
        | Function::LessEqual
        | Function::Greater
        | Function::GreaterEqual => compare(function, arguments, are_whole),
        Function::Least | Function::Greatest => extreme(function, arguments, are_whole),
        Function::Modulo
        | Function::BitOr
        | Function::BitXor
        | Function::BitAnd
        | Function::BitNot
        | Function::ShiftLeft
        | Function::ShiftRight
        | Function::HashFnv1a
        | Function::HashMurmur2 => whole_numbers(function, arguments, scope.default_seed),
        Function::Int => Ok(Value::Integer(whole(arguments[0])?)),
        Function::Double => Ok(Value::Real(real(arguments[0])?)),
        Function::Exp => Ok(Value::Real(real(arguments[0])?.exp())),
        Function::Ln => Ok(Value::Real(real(arguments[0])?.ln())),
        Function::Sqrt => Ok(Value::Real(real(arguments[0])?.sqrt())),
        Function::Pi => Ok(Value::Real(std::f64::consts::PI)),
        Function::Power => Ok(Value::Real(real(arguments[0])?.powf(real(arguments[1])?))),
        Function::Random
        | Function::RandomExponential
        | Function::RandomGaussian
        | Function::RandomZipfian => drawn(function, arguments, scope.random),
        Function::And | Function::Or => logic(function, arguments),
    }
}

/// Three-valued, as in SQL.
fn logic(function: Function, arguments: &[Value]) -> Result<Value, String> {
    let decides = function == Function::Or;
    let mut is_known = true;
    for argument in arguments {
        match argument {
            Value::Null => is_known = false,
            value if boolean(*value)? == decides => return Ok(Value::Boolean(decides)),
            _ => {}
        }
    }
    Ok(if is_known { Value::Boolean(!decides) } else { Value::Null })
}

fn arithmetic(function: Function, arguments: &[Value], are_whole: bool) -> Result<Value, String> {
    if are_whole {
        let (a, b) = (whole(arguments[0])?, whole(arguments[1])?);
        let result = match function {
            Function::Add => a.checked_add(b),
            Function::Subtract => a.checked_sub(b),
            Function::Multiply => a.checked_mul(b),
            _ if b == 0 => return Err("division by zero".into()),
            _ => a.checked_div(b),
        };
        return result.map(Value::Integer).ok_or_else(|| OVERFLOW.into());
    }
    let (a, b) = (real(arguments[0])?, real(arguments[1])?);
    Ok(Value::Real(match function {
        Function::Add => a + b,
        Function::Subtract => a - b,
        Function::Multiply => a * b,
        _ if b == 0.0 => return Err("division by zero".into()),
        _ => a / b,
    }))
}

fn compare(function: Function, arguments: &[Value], are_whole: bool) -> Result<Value, String> {
    use std::cmp::Ordering;
    let are_booleans = arguments.iter().all(|argument| matches!(argument, Value::Boolean(_)));
    let order = if are_whole {
        whole(arguments[0])?.cmp(&whole(arguments[1])?)
    } else if are_booleans {
        boolean(arguments[0])?.cmp(&boolean(arguments[1])?)
    } else {
        real(arguments[0])?.total_cmp(&real(arguments[1])?)
    };
    Ok(Value::Boolean(match function {
        Function::Equal => order == Ordering::Equal,
        Function::NotEqual => order != Ordering::Equal,
        Function::Less => order == Ordering::Less,
        Function::LessEqual => order != Ordering::Greater,
        Function::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

fn extreme(function: Function, arguments: &[Value], are_whole: bool) -> Result<Value, String> {
    if are_whole {
        let values = arguments.iter().map(|argument| whole(*argument)).collect::<Result<Vec<i64>, _>>()?;
        let found = if function == Function::Least { values.iter().min() } else { values.iter().max() };
        return Ok(found.map_or(Value::Null, |value| Value::Integer(*value)));
    }
    let values = arguments.iter().map(|argument| real(*argument)).collect::<Result<Vec<f64>, _>>()?;
    let choose = if function == Function::Least { f64::min } else { f64::max };
    Ok(values.into_iter().reduce(choose).map_or(Value::Null, Value::Real))
}

fn whole_numbers(function: Function, arguments: &[Value], default_seed: i64) -> Result<Value, String> {
    let a = whole(arguments[0])?;
    let b = arguments.get(1).map_or(Ok(default_seed), |argument| whole(*argument))?;
    let shift = || u32::try_from(b).ok().filter(|bits| *bits < 64);
    Ok(Value::Integer(match function {
        Function::Modulo if b == 0 => return Err("division by zero".into()),
        Function::Modulo => a.wrapping_rem(b),
        Function::BitOr => a | b,
        Function::BitXor => a ^ b,
        Function::BitAnd => a & b,
        Function::BitNot => !a,
        Function::ShiftLeft => a.wrapping_shl(shift().ok_or("a shift of 0 to 63 bits is needed")?),
        Function::ShiftRight => a.wrapping_shr(shift().ok_or("a shift of 0 to 63 bits is needed")?),
        Function::HashFnv1a => hash_fnv1a(a, b),
        _ => hash_murmur2(a, b),
    }))
}

/// FNV-1a of 64 bits over the value's bytes, the lowest first (Fowler, Noll, Vo).
fn hash_fnv1a(value: i64, seed: i64) -> i64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    let start = OFFSET ^ seed.cast_unsigned();
    let hash =
        value.to_le_bytes().iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    hash.cast_signed()
}

/// `MurmurHash64A` of eight bytes (Appleby).
fn hash_murmur2(value: i64, seed: i64) -> i64 {
    const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
    const BYTES: u64 = 8;
    let mixed = |value: u64| value ^ (value >> 47);
    let mut hash = seed.cast_unsigned() ^ BYTES.wrapping_mul(MULTIPLIER);
    hash ^= mixed(value.cast_unsigned().wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
    hash = hash.wrapping_mul(MULTIPLIER);
    hash = mixed(hash).wrapping_mul(MULTIPLIER);
    mixed(hash).cast_signed()
}

fn drawn(function: Function, arguments: &[Value], random: &mut Random) -> Result<Value, String> {
    let (low, high) = (whole(arguments[0])?, whole(arguments[1])?);
    if low > high {
        return Err(format!("{low} is above {high}"));
    }
    if function == Function::Random {
        return Ok(Value::Integer(random.between(low, high)));
    }
    let parameter = real(arguments[2])?;
    if let Some(problem) = function.parameter_problem(parameter) {
        return Err(problem);
    }
    let count = low.abs_diff(high).saturating_add(1);
    // A point of 0 up to 1, or the rank itself.
    let point = match function {
        Function::RandomZipfian => {
            return Ok(Value::Integer(low.wrapping_add_unsigned(random.zipf(count, parameter) - 1)));
        }
        Function::RandomGaussian => loop {
            let value = random.normal();
            if value.abs() < parameter {
                break (value + parameter) / (2.0 * parameter);
            }
        },
        _ => {
            let cut = (-parameter).exp();
            -(cut + (1.0 - cut) * (1.0 - random.unit())).ln() / parameter
        }
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut to the range")]
    let offset = ((count as f64 * point) as u64).min(count - 1);
    Ok(Value::Integer(low.wrapping_add_unsigned(offset)))
}

fn boolean(value: Value) -> Result<bool, String> {
    match value {
        Value::Boolean(value) => Ok(value),
        Value::Integer(value) => Ok(value != 0),
        Value::Real(value) => Ok(value != 0.0),
        Value::Null => Err("NULL is neither true nor false".into()),
    }
}

fn real(value: Value) -> Result<f64, String> {
    match value {
        Value::Integer(value) => Ok(value as f64),
        Value::Real(value) => Ok(value),
        Value::Boolean(_) | Value::Null => Err("a number is needed".into()),
    }
}

/// Rounded to the nearest, halves to the even one, as pgbench does.
fn whole(value: Value) -> Result<i64, String> {
    match value {
        Value::Integer(value) => Ok(value),
        #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
        Value::Real(value) if (-9.2e18..9.2e18).contains(&value) => Ok(value.round_ties_even() as i64),
        Value::Real(_) => Err(OVERFLOW.into()),
        Value::Boolean(_) | Value::Null => Err("a number is needed".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::query::ParameterSource;

    fn value(text: &str) -> Result<Value, String> {
        let source = ParameterSource::parse(text).unwrap_or_else(|error| panic!("{text}: {}", error.message));
        let ParameterSource::Expression(text, expression) = source else { panic!("{text}: {source:?}") };
        let values = BTreeMap::from([("id", Some("12".to_owned())), ("word", Some("x".to_owned()))]);
        let mut random = Random::new(1, "test");
        let mut scope = Scope { random: &mut random, values: &values, default_seed: 5432 };
        evaluate(&expression, &text, &mut scope)
    }

    #[test]
    fn values_are_those_of_pgbench() {
        let real = Value::Real;
        let int = Value::Integer;
        for (text, expected) in [
            ("1 + :id % 7", int(6)),
            ("2 + 3 * 4 - 1", int(13)),
            ("(2 + 3) * 4", int(20)),
            ("7 / 2", int(3)),
            ("-7 / 2", int(-3)),
            ("-7 % 3", int(-1)),
            ("7 / 2.0", real(3.5)),
            ("1 << 4 | 3", int(19)),
            ("~ 5 + 1", int(-7)),
            ("int(5.4 + 3.8)", int(9)),
            ("mod(54, 32)", int(22)),
            ("abs(-17)", int(17)),
            ("greatest(5, 4, 3, 2)", int(5)),
            ("least(5, 4, 3, 2.1)", real(2.1)),
            ("sqrt(2.25)", real(1.5)),
            ("pow(2.0, 10)", real(1024.0)),
            ("hash(10, 5432)", int(-5_817_877_081_768_721_676)),
            ("hash_murmur2(10)", int(-5_817_877_081_768_721_676)),
            ("hash_fnv1a(10, 5432)", int(-7_793_829_335_365_542_153)),
            ("CASE WHEN :id > 10 THEN 1 ELSE 2 END", int(1)),
            ("case when not :id = 12 or false then 1 end", Value::Null),
            ("1 < 2 and 2 <> 2", Value::Boolean(false)),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_computed_names_its_part() {
        for (text, problem) in [
            ("1 + 5 / (:id - 12)", "division by zero in `5 / (:id - 12)`"),
            ("9223372036854775807 + 1", "bigint out of range in `9223372036854775807 + 1`"),
            ("ln(0 - 1)", "`ln(0 - 1)` is no number"),
            ("random(:id, 5)", "12 is above 5 in `random(:id, 5)`"),
            ("1 + :word", "`:word` is `x`, not a number"),
            ("1 << 64", "a shift of 0 to 63 bits is needed in `1 << 64`"),
        ] {
            assert_eq!(value(text), Err(problem.to_owned()), "{text}");
        }
    }

    /// Shares of the lowest and the middle tenth, against the distribution functions of pgbench's page.
    #[test]
    fn distributions_have_the_shape_that_pgbench_documents() {
        const DRAWS: u32 = 40_000;
        let shares = |function: Function, parameter: f64| {
            let mut random = Random::new(3, "shape");
            let arguments = [Value::Integer(1), Value::Integer(100), Value::Real(parameter)];
            let mut tenths = [0.0_f64; 10];
            for _ in 0..DRAWS {
                let Ok(Value::Integer(value)) = drawn(function, &arguments, &mut random) else { panic!() };
                tenths[usize::try_from((value - 1) / 10).unwrap()] += 1.0 / f64::from(DRAWS);
            }
            tenths
        };
        // 1 - e^(-parameter x), cut at 1.
        let exponential = shares(Function::RandomExponential, 5.0);
        let expected = (1.0 - (-0.5_f64).exp()) / (1.0 - (-5.0_f64).exp());
        assert!((exponential[0] - expected).abs() < 0.01, "{exponential:?}");
        // 67 % within the middle 1/parameter (pgbench's page): for 2.5, within 30 and 70.
        let gaussian = shares(Function::RandomGaussian, 2.5);
        let middle: f64 = gaussian[3..7].iter().sum();
        assert!((middle - 0.683 / 0.9876).abs() < 0.01, "{middle}");
        assert!((gaussian[0] - gaussian[9]).abs() < 0.01);
        let zipfian = shares(Function::RandomZipfian, 1.5);
        assert!(zipfian[0] > 0.8, "{zipfian:?}");
    }
}
