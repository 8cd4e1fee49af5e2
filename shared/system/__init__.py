"""What programs need of the system that they run on."""

from shared.system.own_python import leave_an_old_one

leave_an_old_one()
