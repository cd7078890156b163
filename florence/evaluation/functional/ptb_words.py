"""Words that the Penn Treebank tokenizer treats in their own way: abbreviations that keep their period, words that part.

The lists say what stanford-corenlp-3.4.1 does. A word counts in any case, but one that begins with a capital here counts only
with that capital, because it is a common word otherwise ("Miss." and "miss.").
"""

# Their period stays whatever follows.
BEFORE_ANYTHING = (
    'jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri ala ariz Az Ark calif colo conn ct dak Del '
    'fla ga Ill ind kan kans ky La Mass md mich minn Miss mo mont neb nev okla Ore Pa penn tenn Tex va vt Wash wis wisc wyo inc '
    'co cos corp ltd plc rt bancorp bhd assn univ intl sys tel est ext sq jr sr bros ed.d ph.d blvd rd esq etc al seq bldg'
)
# Their period stays unless a longer token begins at the same place; single letters and acronyms behave so, too.
BEFORE_NAMES = (
    'mr mrs ms Miss dr drs prof profs sen sens rep reps atty attys lt col gen messrs gov govs adm rev maj sgt cpl pvt capt st '
    'ste ave pres lieut hon brig cmdr comdr pfc spc supt supts det mt ft adj adv asst assoc ens insp mlle mme msgr sfc vs alex '
    'wm jos cie a.k.a cf treas ph invt elec natl dept'
)
# Each has a letter that must be small (the "ty" of "pty", the "t" of "mtg"): the rules spell them out.
PARTLY_SMALL = 'pty ptys pte ptes ppty pptys ppte pptes mtg mfg'
# Their period stays before a number only.
BEFORE_NUMBERS = 'ca fig figs prop no nos art bldg pp op'

# After a single letter with a period, one of these (with a capital) begins a sentence: the period is not the letter's.
SENTENCE_STARTS = (
    'About According Additionally After An A As At But Earlier He Her Here However If In It Last Many More Mr. Ms. Now Once One '
    'Other Our She Since So Some Such That The Their Then There These They This We When While What Yet You'
)

# Written as one word, two tokens; the hyphen is where they part.
PARTED = "can-not 't-was 't-is gon-na got-ta lem-me gim-me wan-na"

FILE_ENDINGS = (
    'bat bmp c class cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py sql tar txt '
    'wav x xml zip'
)

# Countries and the like that join an acronym with a hyphen.
HYPHENED_ACRONYMS = 'canada-u.s sino-u.s korean-u.s eu-u.s japan-u.s non-u.s u.s.-u.k u.s.-u.s.s.r'
