"""Public addresses of the access log."""

from django.urls import path

from audit_log import operator_views, views

urlpatterns = [
    path("log/checkpoint", views.checkpoint, name="log_checkpoint"),
    path("log/tile/<int:level>/<path:tile>", views.hash_tile, name="log_tile"),
    path(".well-known/consentry-log-key", views.log_key, name="log_key"),
    path(".well-known/consentry-log-ended/<int:number>", views.ended_log, name="log_ended"),
    path("operate/log/", operator_views.entries, name="operate_log"),
    path("operate/log/entries.jsonl", operator_views.entries_file, name="operate_log_file"),
    path("operate/log/<uuid:entry_id>/", operator_views.entry, name="operate_log_entry"),
]
