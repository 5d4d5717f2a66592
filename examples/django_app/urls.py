"""Where what is served."""

from django.urls import path

from airport_payments import contract_models as models

from . import standin, views

urlpatterns = [
    path(models.CREATE_PATH[1:], views.pay),
    path(models.CONFIRM_PATH[1:], views.pay),
    path(models.WEBHOOK_PATH[1:], views.pay),
    path(models.STATUS_PREFIX[1:] + "<str:_booking_id>", views.pay),
    *standin.urlpatterns,
]
handler404 = views.not_served
handler400 = views.refused
handler500 = views.failed
