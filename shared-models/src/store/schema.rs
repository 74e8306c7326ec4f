//! One schema for both backends; the migrations keep tables and columns in this order.

diesel::table! {
    owners (id) {
        id -> Text,
        email -> Text,
        name -> Text,
        subscription_active -> Bool,
        max_mailboxes -> Nullable<BigInt>,
        mailbox_usage -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    workspaces (id) {
        id -> Text,
        owner_id -> Text,
        name -> Text,
        created_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Text,
        kind -> Text,
        owner_id -> Text,
        workspace_id -> Nullable<Text>,
        hint -> Text,
        key_hash -> Binary,
        scopes -> Text,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
        expires_at -> Nullable<BigInt>,
        replaces -> Nullable<Text>,
    }
}

diesel::table! {
    master_keys (id) {
        id -> Text,
        check_value -> Binary,
        created_at -> BigInt,
    }
}

diesel::table! {
    mailboxes (id) {
        id -> Text,
        workspace_id -> Text,
        email -> Text,
        display_name -> Text,
        provider -> Text,
        status -> Text,
        on_refusal -> Text,
        daily_send_limit -> Integer,
        sending_enabled -> Bool,
        signature -> Nullable<Text>,
        tags -> Text,
        smtp_host -> Text,
        smtp_port -> Integer,
        smtp_secure -> Bool,
        imap_host -> Text,
        imap_port -> Integer,
        imap_secure -> Bool,
        imap_guessed -> Bool,
        credentials_key_id -> Text,
        credentials -> Binary,
        last_error -> Nullable<Text>,
        recorded_refusal -> Nullable<Text>,
        dns_report -> Nullable<Text>,
        dns_sound_parts -> Nullable<Integer>,
        dns_checked_at -> Nullable<BigInt>,
        dns_requested_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
        verification_attempts -> Integer,
        verification_asked_at -> Nullable<BigInt>,
        email_as_given -> Nullable<Text>,
    }
}

diesel::table! {
    departed_mailboxes (mailbox_id) {
        mailbox_id -> Text,
        departed_at -> BigInt,
    }
}

diesel::table! {
    verification_results (mailbox_id) {
        mailbox_id -> Text,
        workspace_id -> Text,
        passed -> Bool,
        finding -> Nullable<Text>,
        report -> Nullable<Text>,
        settled_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        email -> Nullable<Text>,
    }
}

diesel::table! {
    queue_messages (id) {
        id -> BigInt,
        queue -> Text,
        event_id -> Text,
        event_type -> Text,
        envelope -> Text,
        attempt -> Integer,
        deliveries -> Integer,
        available_at -> BigInt,
        lease -> Nullable<Text>,
        dead_at -> Nullable<BigInt>,
        dead_reason -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    imports (id) {
        id -> Text,
        workspace_id -> Text,
        owner_id -> Text,
        source -> Text,
        row_check -> Text,
        total -> BigInt,
        created_at -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    import_rows (import_id, position) {
        import_id -> Text,
        position -> Integer,
        email -> Text,
        given -> Nullable<Text>,
        state -> Text,
        lane -> Nullable<Integer>,
        due_at -> BigInt,
        attempts -> Integer,
        mailbox_id -> Text,
        settings -> Nullable<Text>,
        credentials_key_id -> Nullable<Text>,
        credentials -> Nullable<Binary>,
        recorded_refusal -> Nullable<Text>,
        outcome -> Nullable<Text>,
        settled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    deletions (id) {
        id -> Text,
        workspace_id -> Text,
        results -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    test_emails (id) {
        id -> Text,
        mailbox_id -> Text,
        workspace_id -> Text,
        recipient -> Text,
        message_id -> Text,
        state -> Text,
        finding -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    daily_sending (mailbox_id) {
        mailbox_id -> Text,
        day -> BigInt,
        sent -> BigInt,
    }
}

diesel::table! {
    providers (id) {
        id -> Text,
        workspace_id -> Text,
        name -> Text,
        smtp_host -> Text,
        smtp_port -> Integer,
        smtp_protocol -> Text,
        smtp_username -> Text,
        password_key_id -> Text,
        password -> Binary,
        login_version -> Integer,
        refusal -> Nullable<Text>,
        refused_at -> Nullable<BigInt>,
        accepted_version -> Nullable<Integer>,
        status -> Text,
        status_reason -> Nullable<Text>,
        is_active -> Bool,
        from_email -> Nullable<Text>,
        from_name -> Nullable<Text>,
        reply_to_email -> Nullable<Text>,
        reply_to_name -> Nullable<Text>,
        quotas -> Text,
        percentage -> Integer,
        tracking_domain -> Nullable<Text>,
        variables -> Text,
        last_tested_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    provider_tests (id) {
        id -> Text,
        provider_id -> Text,
        workspace_id -> Text,
        state -> Text,
        login_version -> Integer,
        success -> Nullable<Bool>,
        message -> Nullable<Text>,
        latency_ms -> Nullable<BigInt>,
        tested_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    limit_increases (id) {
        id -> Text,
        workspace_id -> Text,
        resource -> Text,
        max_allowed -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    sending_domains (id) {
        id -> Text,
        workspace_id -> Text,
        name -> Text,
        mode -> Text,
        status -> Text,
        ownership_token -> Text,
        dkim_selector -> Text,
        dkim_public_key -> Text,
        dkim_key_id -> Text,
        dkim_private_key -> Binary,
        checks -> Nullable<Text>,
        checked_at -> Nullable<BigInt>,
        verified_at -> Nullable<BigInt>,
        failures -> Integer,
        asked_at -> BigInt,
        asked_by_clock -> Bool,
        answered_at -> BigInt,
        unclear_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    sender_filter_modes (subject_id) {
        subject_id -> Text,
        mode -> Text,
    }
}

diesel::table! {
    sender_filters (subject_id, pattern) {
        subject_id -> Text,
        pattern -> Text,
        kind -> Text,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    hosted_mailboxes (id) {
        id -> Text,
        workspace_id -> Text,
        domain_id -> Text,
        email -> Text,
        display_name -> Nullable<Text>,
        quota_bytes -> BigInt,
        send_scope -> Text,
        status -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    mailbox_keys (id) {
        id -> Text,
        mailbox_id -> Text,
        app_name -> Text,
        key_prefix -> Text,
        key_suffix -> Text,
        key_hash -> Text,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

// A view on the mailboxes and rules, for the mail servers.
diesel::table! {
    mail_filters (email, pattern) {
        email -> Text,
        mode -> Text,
        pattern -> Nullable<Text>,
    }
}

diesel::table! {
    idempotency_records (workspace_id, endpoint, request_key) {
        workspace_id -> Text,
        endpoint -> Text,
        request_key -> Text,
        holder -> Text,
        lease_ends_at -> BigInt,
        fingerprint_key_id -> Text,
        fingerprint -> Binary,
        answer_key_id -> Nullable<Text>,
        answer -> Nullable<Binary>,
        expires_at -> BigInt,
    }
}

diesel::table! {
    webhooks (id) {
        id -> Text,
        workspace_id -> Text,
        dialect -> Text,
        url -> Text,
        event_types -> Text,
        name -> Nullable<Text>,
        enabled -> Bool,
        failing -> Bool,
        mailbox_ids -> Text,
        secret_key_id -> Text,
        secret -> Binary,
        created_at -> BigInt,
        updated_at -> BigInt,
        retry_attempts -> Nullable<Integer>,
        timeout_ms -> Nullable<Integer>,
        previous_secret_key_id -> Nullable<Text>,
        previous_secret -> Nullable<Binary>,
        previous_secret_ends_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    webhook_events (id) {
        id -> Text,
        workspace_id -> Text,
        event_type -> Text,
        body -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    webhook_dispatches (webhook_id, event_id) {
        webhook_id -> Text,
        event_id -> Text,
        workspace_id -> Text,
        state -> Text,
        attempts -> Integer,
        due_at -> BigInt,
    }
}

diesel::table! {
    webhook_deliveries (id) {
        id -> Text,
        webhook_id -> Text,
        event_id -> Text,
        event_type -> Text,
        attempt -> Integer,
        max_attempts -> Integer,
        result -> Text,
        response_status -> Nullable<Integer>,
        response_body -> Nullable<Text>,
        response_ms -> BigInt,
        error_message -> Nullable<Text>,
        next_retry_at -> Nullable<BigInt>,
        payload_sha256 -> Text,
        payload_bytes -> BigInt,
        created_at -> BigInt,
    }
}

// PostgreSQL only; nothing on SQLite uses it.
diesel::table! {
    outbox (id) {
        id -> BigInt,
        event_id -> Text,
        event_type -> Text,
        envelope -> Text,
        created_at -> BigInt,
    }
}

diesel::joinable!(import_rows -> imports (import_id));
diesel::joinable!(mailbox_keys -> hosted_mailboxes (mailbox_id));
diesel::allow_tables_to_appear_in_same_query!(owners, workspaces, api_keys, mailboxes, imports, import_rows);
diesel::allow_tables_to_appear_in_same_query!(hosted_mailboxes, mailbox_keys, sending_domains);
diesel::allow_tables_to_appear_in_same_query!(webhooks, webhook_events, webhook_dispatches, webhook_deliveries);
