"""Auto-MPG: the fuel consumption of cars."""

import io

import numpy as np

from landing.data import files

AUTOMPG_COLUMNS = ("cylinders", "displacement", "horsepower", "weight", "acceleration", "model year", "origin")


def load_autompg(test_fraction=0.2, seed=0):
    """Auto-MPG: the fuel consumption of 392 cars of 1970 to 1982.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        x: float64, shape (n, 7), the columns AUTOMPG_COLUMNS: cylinders, displacement (cubic inches), horsepower,
        weight (pounds), acceleration (seconds from 0 to 60 miles per hour), model year (70 is 1970),
        origin (1 America, 2 Europe, 3 Japan). y: float64, shape (n,), miles per US gallon.
        The cars are shuffled with NumPy's generator of this `seed`; 314 + 78 cars with the defaults.

    Raises
    ------
    ValueError for a `test_fraction` outside (0, 1); DataError if mlxtend's file is missing or changed.

    Notes
    -----
    Source: UCI Machine Learning Repository, Auto MPG (Quinlan, 1993), CC BY 4.0, as packaged with mlxtend (BSD).
    UCI lists 398 cars; mlxtend left out the six whose horsepower is unknown, so no value here is NaN. (The eighth
    column of `mlxtend.data.autompg_data()` is all NaN: the cars' names, read as numbers.)
    """
    files.check_fraction(test_fraction)
    content = files.installed_bytes(
        "mlxtend",
        "0.25.0",
        "data/data/autompg.csv.gz",
        "6ab76e3754350d7c037f1ca10c4911b91eba14487a4734b571e54a687e9a3023",
    )
    table = np.loadtxt(io.BytesIO(content), delimiter=",", usecols=(0, 1, 2, 3, 4, 5, 6, 8))  # 7 is the car's name
    x, y = np.ascontiguousarray(table[:, :-1]), table[:, -1].copy()
    order = np.random.default_rng(seed).permutation(len(x))
    test_count = round(test_fraction * len(x))
    test, train = order[:test_count], order[test_count:]
    print(f"Auto-MPG: {len(train)} + {len(test)} cars, {x.shape[1]} columns, packaged with mlxtend")
    return (x[train], y[train]), (x[test], y[test])
