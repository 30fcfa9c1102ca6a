"""Everything that can be asked: each flow as a method of both clients."""

from __future__ import annotations

from consentry_client import archives, consents, copies, measuring, own, resumable
from consentry_client.operation import Listing, Operation


class Operations:
    """The methods that ``Client`` and ``AsyncClient`` share."""

    me = Operation(own.me)
    live_keys = Operation(own.live_keys)
    make_key = Operation(own.make_key)
    revoke_key = Operation(own.revoke_key)
    purposes = Listing(own.purposes)
    purpose = Operation(own.purpose)
    log_entry = Operation(own.log_entry)
    log_entry_proof = Operation(own.log_entry_proof)

    request_consent = Operation(consents.request_consent)
    consent_requests = Listing(consents.consent_requests)
    consent_request = Operation(consents.consent_request)
    resend_consent_request = Operation(consents.resend_consent_request)
    cancel_consent_request = Operation(consents.cancel_consent_request)
    subjects = Listing(consents.subjects)
    find_subject = Operation(consents.find_subject)
    subject = Operation(consents.subject)
    consent_receipts = Listing(consents.consent_receipts)
    erasure_receipts = Listing(consents.erasure_receipts)

    upload = Operation(measuring.upload)
    upload_batch = Operation(measuring.upload_batch)
    upload_resumable = Operation(resumable.upload_resumable)
    recordings = Listing(measuring.recordings)
    recording = Operation(measuring.recording)
    analyse_again = Operation(measuring.analyse_again)
    analyses = Listing(measuring.analyses)
    analysis = Operation(measuring.analysis)
    wait_for_analysis = Operation(measuring.wait_for_analysis)
    cancel_analysis = Operation(measuring.cancel_analysis)
    result = Operation(measuring.result)
    series = Operation(measuring.series)

    exports = Listing(archives.exports)
    export = Operation(archives.export)
    request_export = Operation(archives.request_export)
    fetch_export = Operation(archives.fetch_export)
    delete_export = Operation(archives.delete_export)

    erasures = Operation(copies.erasures)
    acknowledge_erasure = Operation(copies.acknowledge_erasure)

    webhook = Operation(own.webhook)
    put_webhook = Operation(own.put_webhook)
    delete_webhook = Operation(own.delete_webhook)
    rotate_webhook_secret = Operation(own.rotate_webhook_secret)
    webhook_deliveries = Listing(own.webhook_deliveries)
    replay_webhook = Operation(own.replay_webhook)
