"""What stands in front of the centre or asks something: dialogs, banners, messages.

May import viewer.widgets.controls, viewer.widgets.tables and viewer.theme.
"""
