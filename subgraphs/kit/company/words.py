"""The words the believable company is named with. Plain ASCII, so that every vendor keeps them as they are."""

FIRST_NAMES = (
    "Ada", "Alma", "Amir", "Anna", "Aron", "Bela", "Carl", "Cora", "Dana", "Dario", "Edith", "Elif", "Emil", "Enzo",
    "Eva", "Felix", "Fiona", "Greta", "Hana", "Hugo", "Ida", "Ines", "Ivan", "Jana", "Jonas", "Karim", "Lara", "Lena",
    "Leo", "Linus", "Maja", "Marta", "Mila", "Nadia", "Niko", "Nora", "Olga", "Omar", "Paula", "Pavel", "Rosa", "Ruben",
    "Sara", "Selma", "Stefan", "Tara", "Theo", "Uma", "Viktor", "Yara",
)  # fmt: skip

LAST_NAMES = (
    "Adler", "Albers", "Barth", "Bauer", "Berger", "Blanc", "Brandt", "Carter", "Castillo", "Conti", "Dahl", "Dubois",
    "Ekberg", "Engel", "Falk", "Ferrari", "Fischer", "Frank", "Garcia", "Gruber", "Hall", "Hansen", "Hartmann", "Hughes",
    "Ivanov", "Jansen", "Keller", "Klein", "Kovacs", "Lang", "Laurent", "Lindgren", "Marino", "Meyer", "Moreau", "Nowak",
    "Olsen", "Petrov", "Reyes", "Rossi", "Schmidt", "Silva", "Sommer", "Strand", "Tanaka", "Vogel", "Walsh", "Weber",
    "Winter", "Young",
)  # fmt: skip

NAME_STARTS = (
    "Alder", "Amber", "Arc", "Aspen", "Atlas", "Aurora", "Basalt", "Beacon", "Birch", "Blue", "Boreal", "Bright", "Cedar",
    "Cobalt", "Copper", "Coral", "Crest", "Delta", "Drift", "Ember", "Falcon", "Fern", "Flint", "Gale", "Garnet", "Granite",
    "Harbor", "Hazel", "Heron", "Iron", "Ivory", "Juniper", "Kestrel", "Lark", "Linden", "Lunar", "Maple", "Marble",
    "Meridian", "Mistral", "North", "Nova", "Oak", "Onyx", "Opal", "Orchid", "Pine", "Polar", "Quartz", "Raven", "Ridge",
    "River", "Rowan", "Saffron", "Sage", "Sierra", "Silver", "Slate", "Solar", "Summit", "Swift", "Terra", "Tidal",
    "Topaz", "Umber", "Velvet", "Vesper", "Willow", "Wren", "Zephyr",
)  # fmt: skip

NAME_ENDS = (
    "bridge", "brook", "crest", "dale", "field", "forge", "gate", "grove", "haven", "hill", "leaf", "light", "line", "mark",
    "mill", "peak", "point", "port", "reach", "shore", "spring", "stone", "vale", "view", "ward", "water", "way", "wood",
    "works", "yard",
)  # fmt: skip

INDUSTRIES = (
    ("Logistics", "LOGISTICS_AND_SUPPLY_CHAIN"), ("Foods", "FOOD_PRODUCTION"), ("Energy", "RENEWABLES_ENVIRONMENT"),
    ("Health", "HOSPITAL_HEALTH_CARE"), ("Labs", "BIOTECHNOLOGY"), ("Media", "MEDIA_PRODUCTION"),
    ("Capital", "FINANCIAL_SERVICES"), ("Systems", "INFORMATION_TECHNOLOGY_AND_SERVICES"), ("Software", "COMPUTER_SOFTWARE"),
    ("Retail", "RETAIL"), ("Robotics", "INDUSTRIAL_AUTOMATION"), ("Travel", "LEISURE_TRAVEL_TOURISM"),
)  # fmt: skip
"""Word in a name, industry."""

PLACES = (
    ("DE", "EUR", "GmbH", ("Berlin", "Hamburg", "Leipzig", "Stuttgart")), ("FR", "EUR", "SAS", ("Paris", "Lyon", "Nantes")),
    ("NL", "EUR", "B.V.", ("Utrecht", "Rotterdam")), ("ES", "EUR", "S.L.", ("Madrid", "Valencia")),
    ("IT", "EUR", "S.r.l.", ("Milano", "Torino")), ("AT", "EUR", "GmbH", ("Wien", "Graz")),
    ("IE", "EUR", "Ltd", ("Dublin", "Cork")), ("SE", "EUR", "AB", ("Stockholm", "Uppsala")),
    ("GB", "GBP", "Ltd", ("London", "Leeds", "Bristol")), ("US", "USD", "Inc.", ("Boston", "Denver", "Portland", "Austin")),
)  # fmt: skip
"""Country, currency, legal form, cities."""

PLACE_WEIGHTS = (26, 10, 8, 6, 6, 5, 5, 4, 14, 16)

STREETS = ("Market Street", "Station Road", "Mill Lane", "Harbor Quay", "Garden Row", "Museum Square", "Canal Street")

JOB_TITLES = (
    "Chief Financial Officer", "Head of Operations", "Head of IT", "Procurement Manager", "Finance Manager",
    "Product Manager", "Operations Analyst", "Accounts Payable", "Chief Executive Officer", "Customer Success Lead",
)  # fmt: skip

REGIONS = ("Nordics", "Iberia", "UK", "Americas", "Benelux", "Digital", "Services")
