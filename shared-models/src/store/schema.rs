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

// PostgreSQL only: SQLite has no use for it.
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
diesel::allow_tables_to_appear_in_same_query!(owners, workspaces, api_keys, mailboxes, imports, import_rows);
