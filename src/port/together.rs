//! Questions that are asked all at once.

use std::future::poll_fn;
use std::task::Poll;

/// What all of these come to, in their order, once the last of them has.
pub async fn together<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut under_way: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    poll_fn(|context| {
        let mut there = true;
        for (one, out) in under_way.iter_mut().filter(|(_, out)| out.is_none()) {
            match one.as_mut().poll(context) {
                Poll::Ready(came) => *out = Some(came),
                Poll::Pending => there = false,
            }
        }
        if there { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    under_way.into_iter().filter_map(|(_, out)| out).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_waited_for_together_comes_in_its_order() {
        let (tell, told) = tokio::sync::watch::channel(0);
        let one = |place: u32| {
            let (mut told, tell) = (told.clone(), &tell);
            async move {
                // The last of them lets the one before it go on.
                told.wait_for(|last| *last == 3 - place).await.unwrap();
                tell.send_modify(|last| *last += 1);
                place
            }
        };
        assert_eq!(together((0..4).map(one)).await, [0, 1, 2, 3]);
        assert_eq!(together((0..0).map(one)).await, [0; 0]);
    }
}
