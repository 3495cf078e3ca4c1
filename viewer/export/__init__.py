"""Write what is on screen to files: pictures, tables, recipes.

May import viewer.session, viewer.presenters and viewer.canvas.
"""
