//! Which names an expression reads. Variables of `all`, `exists` and the like are its own and do not count.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue};

/// Adds each name read, with the fields behind it; `bound` are the variables of the macros around it.
pub(super) fn collect<'e>(expr: &'e IdedExpr, bound: &mut Vec<&'e str>, found: &mut Vec<Vec<String>>) {
    if let Some(path) = path(expr) {
        if !path[0].starts_with('@') && !bound.contains(&&*path[0]) {
            found.push(path);
        }
        return;
    }
    match &expr.expr {
        Expr::Call(call) => {
            call.target.iter().for_each(|target| collect(target, bound, found));
            call.args.iter().for_each(|arg| collect(arg, bound, found));
        }
        Expr::Comprehension(inner) => {
            collect(&inner.iter_range, bound, found);
            collect(&inner.accu_init, bound, found);
            let outside = bound.len();
            bound.extend([&*inner.iter_var, &*inner.accu_var]);
            bound.extend(inner.iter_var2.as_deref());
            for part in [&inner.loop_cond, &inner.loop_step, &inner.result] {
                collect(part, bound, found);
            }
            bound.truncate(outside);
        }
        Expr::List(list) => list.elements.iter().for_each(|element| collect(element, bound, found)),
        Expr::Map(map) => map.entries.iter().for_each(|entry| entry_names(&entry.expr, bound, found)),
        Expr::Struct(made) => made.entries.iter().for_each(|entry| entry_names(&entry.expr, bound, found)),
        Expr::Select(select) => collect(&select.operand, bound, found),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn entry_names<'e>(entry: &'e EntryExpr, bound: &mut Vec<&'e str>, found: &mut Vec<Vec<String>>) {
    match entry {
        EntryExpr::StructField(field) => collect(&field.value, bound, found),
        EntryExpr::MapEntry(entry) => {
            collect(&entry.key, bound, found);
            collect(&entry.value, bound, found);
        }
    }
}

/// `a.b["c"]` as its parts, root first. A test such as `has(a.b)` asks whether the last one is there.
fn path(expr: &IdedExpr) -> Option<Vec<String>> {
    match &expr.expr {
        Expr::Ident(name) => Some(vec![name.clone()]),
        Expr::Select(select) => {
            let mut path = path(&select.operand)?;
            if !select.test {
                path.push(select.field.clone());
            }
            Some(path)
        }
        Expr::Call(call) if call.func_name == "_[_]" => {
            let [operand, index] = &call.args[..] else { return None };
            let Expr::Literal(LiteralValue::String(key)) = &index.expr else { return None };
            let mut path = path(operand)?;
            path.push(key.inner().to_owned());
            Some(path)
        }
        _ => None,
    }
}
