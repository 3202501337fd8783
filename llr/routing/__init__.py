"""From a model name to an ordered list of candidates, and from an outcome to the next step.

Law: pure; never sees a body, a socket or a clock.

One request, in the words of this package (`store` is a `state.store.Store`; empty keys or ops need no store call):

    route = resolver.resolve(model, client)                          # resolve.Resolver, one per configuration
    need = Need(required_tokens(size, max_output), session_of(...))  # tokens only if route.needs_estimate
    state = store.read(keys_for(route, now, need))
    chosen = plan(route, state, now, need)                           # empty order: raise nothing_to_try(...)
    store.apply(chosen.ops)                                          # with the first reservation, or before it
    for candidate in chosen.order:
        held = reserve(route, candidate, holder=request_id, now, tokens=need.context_tokens,
                       probes=chosen.probes.get(candidate.key, ()))
        store.apply(held.ops)                                        # refused: `refusal` says why, go on
        outcome = ...                                                # retry_after(status, headers, now) goes into it
        verdict = classify(outcome, attempt, selected, policy=route.policy, now, rng)
        store.apply(health_ops(candidate, outcome, verdict, policy=route.policy, now))
        Commit:  store.apply(pin_ops(route, candidate, need.session, state, now)), later held.used(tokens)
        failed:  store.apply(held.used(0)) if the upstream answered at all, else held.unused()
    best_failure(outcomes)                                           # the one to show when all failed

While a request lives, `held.renewals(now)` is applied every `limits.RENEW_EVERY_S` seconds if it holds slots.
"""
