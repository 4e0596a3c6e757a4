"""Owns the words by which labels generalise beyond their examples: what people do in worlds and at desks, what is made for worlds, what
lies outside all of them. Plain sets. It must not know routes.
"""

from __future__ import annotations

from typing import Final

VERBS: Final = frozenset("""
take grab pick get fetch bring carry hold keep collect gather catch snatch seize lift raise drop put place lay set leave throw toss fling
hurl chuck cast launch give hand pass offer lend share return deliver donate gift present send ship mail open close shut lock unlock bolt
bar push pull drag shove press turn twist rotate spin switch flip move shift slide roll tilt shake swing wave ring knock tap hit kick punch
strike beat slap smash break crush crack shatter bash cut slice chop hack stab pierce saw split tear rip burn light ignite extinguish
kindle blow douse fill empty pour spill drink sip swallow quaff gulp eat bite taste chew devour nibble consume cook bake fry boil roast brew
stir mix grind feed water plant sow seed dig bury harvest reap pluck milk shear hunt fish trap tame ride mount dismount saddle climb jump
leap hop skip vault crawl creep sneak tiptoe swim dive wade float row sail fly go walk run sprint march stroll wander head travel proceed
continue advance retreat flee escape enter exit cross follow chase approach visit return hide crouch kneel sit stand lie rest sleep nap
wake wait pause stay stop look see view watch stare gaze peek peer glance examine inspect study investigate search check observe scan
listen hear smell sniff touch feel stroke pet rub scratch tickle hug kiss embrace read write draw paint carve engrave sign stamp mark scribble
fold unfold wrap unwrap tie untie bind knot fasten attach detach connect disconnect hang hook unhook wear don remove strip undress dress
equip unequip wield sheathe draw sharpen polish clean wash wipe sweep scrub dust mop dry mend repair fix patch build construct assemble
craft forge make hammer nail glue sew knit weave talk speak say tell ask answer reply greet whisper shout yell scream call sing hum whistle
chant pray bow curtsy nod wink smile laugh cry sigh dance clap applaud cheer boo juggle play strum drum perform insult mock taunt tease
compliment praise flatter thank apologise apologize forgive blame accuse threaten intimidate warn persuade convince bribe beg plead
charm flirt seduce challenge fight attack kill slay shoot fire aim block parry dodge duck defend guard protect rescue free save release
arrest capture surrender yield concede forfeit steal rob pickpocket loot plunder cheat gamble bet wager dice deal shuffle buy purchase
sell trade barter haggle swap exchange pay tip spend borrow rent hire lease loan renew extend reserve hold book order serve cancel refund
reimburse charge bill waive replace report register enrol enroll join subscribe unsubscribe sign log file submit approve reject decline
accept refuse deny confirm withdraw close reopen escalate assign transfer update change edit correct add remove delete show display list
print pull lookup claim complete finish start begin end quit abandon resume undo redo repeat use try test activate deactivate enable
disable operate wind load unload aim measure weigh count sort stack pack unpack dump bet raise fold choose select pick vote score skip
guess spare help heal bandage cure poison bless curse enchant summon banish cast meditate concentrate focus think dream stretch flex
exercise train practise practice leave stash store insert extract plug unplug turn dip soak dunk rinse squeeze peel crack tap steer drive
park hitch lead herd herd milk brush groom comb shave bathe relax chill wait work toil earn sweep wipe bus clear throw pledge swear vow
promise accompany guide escort welcome invite dismiss hire fire recruit collect redeem scan photograph snap tag drop hoist lower haul tug
smoke light snuff strike deposit withdraw issue process mark note record inform notify contact check-in checkout head walk step lean
crouch climb descend ascend rise settle stay camp cook forage pick mine quarry fell chop row paddle moor anchor dock disembark embark board
rock paper scissors north south east west up down in out inventory i look l x n s e w u d z again g
""".split())  # fmt: skip
"""With which somebody says what to do."""

MAKES: Final = frozenset("""
build create design invent write draft compose generate make plan brainstorm outline develop extend expand add propose prepare improvise
stage simulate organise organize populate map devise sketch imagine craft author produce assemble conceive come draw work let have discuss
debate negotiate collaborate coordinate turn convert start launch run play act host hold solve figure
""".split())  # fmt: skip
"""With which somebody begins work for several."""

MADE: Final = frozenset("""
world worlds village town city region island kingdom realm dungeon castle tower cave cavern temple harbour harbor swamp desert forest level
levels room rooms area location locations place places page pages document documents npc npcs character characters creature monster quest
quests questline storyline story stories tale tales plot plots scene scenes chapter chapters dialogue dialog conversation play ballad poem
saga epic legend lore backstory background history campaign scenario scenarios adventure adventures mystery heist strategy plan plans debate
trial meeting council discussion argument quarrel round feast festival faction factions guild religion economy setting map shop market tavern
inn library school rulebook experience expansion ending prologue epilogue arc ruleset mechanic
""".split())  # fmt: skip
"""What is made for worlds."""

TOGETHER: Final = frozenset("""
together themselves yourselves amongst among each other everyone everybody team teams group several agents experts authors writers voices
narrators jointly collectively collaborate cooperate all both guests villagers townsfolk crew council committee party argue argues debate
discuss chat gossip quarrel banter converse react conversation negotiate
""".split())  # fmt: skip
"""What says that several take part."""

OUTSIDE: Final = frozenset("""
weather rain forecast temperature paris london berlin rome tokyo vienna madrid york munich france germany spain italy china india russia
america usa europe africa australia japan brazil canada mexico california texas president minister chancellor election elections politics political
party congress senate government football soccer basketball baseball tennis olympics champions league stock stocks shares nasdaq bitcoin
crypto ethereum dollar euro currency exchange mortgage bank insurance tax taxes salary invest investment flight flights airline airport
hotel taxi uber train bus subway traffic gas petrol car cars tesla tyre engine netflix youtube spotify tv television movie movies cinema
film series actor actress celebrity singer album concert radio podcast instagram facebook twitter tiktok whatsapp email emails gmail inbox
phone iphone android laptop computer pc printer wifi internet browser website app software windows linux mac excel word powerpoint python
java javascript html css sql code coding program programming function algorithm regex debug compile script api json docker kubernetes git
database server servers router vpn homework essay thesis exam university college cv resume interview boss colleague job career math maths
equation integral derivative calculus algebra geometry square root plus minus multiply divide percent kilometres kilometers miles celsius
fahrenheit ounces grams recipe recipes pancakes pizza pasta spaghetti lasagna calories diet lose weight workout gym headache medicine
doctor disease symptoms fever flu vaccine covid therapy diagnosis lawyer lawsuit legal divorce court visa passport translate translation
german french spanish italian english latin japanese chinese grammar horoscope zodiac astrology lottery wife husband girlfriend boyfriend
mother mom dad birthday gift wedding alarm reminder calendar appointment meeting schedule news newspaper headlines war two ukraine
napoleon einstein shakespeare mozart picasso moon mars planet planets galaxy quantum physics chemistry biology relativity photosynthesis
dinosaur dinosaurs everest ocean capital population continent country countries universe god religion password passwords hack hacker exploit bomb
drugs weapon prompt instructions jailbreak dan admin root sudo rm iphone amazon google apple microsoft openai tesla elon trump biden
obama putin washington alexa siri living kitchen-light thermostat
""".split())  # fmt: skip
"""What is about no world of rules and pages."""

TALK: Final = frozenset("""
hello hi hey heya hiya hallo helo howdy yo sup greetings welcome morning afternoon evening night day bye goodbye farewell cya ciao later
thanks thank thx thnx ty tysm cheers appreciated appreciate appreciation grateful sorry apologies apology oops whoops pardon excuse bad
mistake congratulations congrats happy merry christmas easter birthday luck lol lmao rofl haha hahaha hehe xd wow cool nice great awesome
amazing brilliant wonderful lovely excellent perfect fantastic good fine alright okay ok okey kk sure yep yeah yup nope nah nevermind nvm
understood gotcha glad pleased meet friend buddy mate pal dude bot robot human ai assistant chatbot person machine yourself name feel
feeling feelings tired bored boring sad lonely excited fun funny enjoy enjoyed enjoying love loved like liked hate joke laugh cheer smart
clever stupid dumb rude polite slow fast favourite favorite colour color brb afk ping hm hmm uh huh aha ah oh well ciao salut bonjour
hola gracias danke merci guten tag servus moin cute kind sweet best languages language speak understand talking chatting testing
""".split())  # fmt: skip
"""What people say to whom they talk to."""

LORE: Final = frozenset("""
rule rules law laws lore history legend legends myth story meaning page pages handbook manual guide book section paragraph policy policies
fee fees fine fines price prices cost costs limit limits deadline deadlines maximum minimum max min hours hint hints tip tips clue clues
walkthrough summary overview description details information info facts explanation goal aim objective purpose point points score scoring
allowed permitted forbidden prohibited legal mandatory required requirement requirements condition conditions exception exceptions
happens happen happened work works mean means count counts cost costs belong belongs explain explains describe summarise summarize
list quote cite compare define clarify mention mentions mentioned wonder difference between curious know knows known understand
""".split())  # fmt: skip
"""What questions about rules and lore are made of."""

SHORT: Final = {
    "u": "you", "r": "are", "ur": "your", "2": "to", "4": "for", "n": "and", "pls": "please", "plz": "please", "plse": "please", "thx": "thanks",
    "thnx": "thanks", "ty": "thank you", "gimme": "give me", "lemme": "let me", "wanna": "want to", "gonna": "going to", "gotta": "have to",
    "dunno": "do not know", "wat": "what", "wut": "what", "wot": "what", "whats": "what is", "wats": "what is", "wheres": "where is",
    "whos": "who is", "hows": "how is", "hw": "how", "w": "with", "wo": "without", "smth": "something", "sth": "something",
    "b4": "before", "bc": "because", "cuz": "because", "cos": "because", "coz": "because", "tho": "though", "teh": "the", "da": "the",
    "dat": "that", "dis": "this", "im": "i am", "i'm": "i am", "ive": "i have", "i've": "i have", "id": "i would", "ill": "i will",
    "i'll": "i will", "i'd": "i would", "dont": "do not", "don't": "do not", "doesnt": "does not", "doesn't": "does not", "didnt": "did not",
    "cant": "can not", "can't": "can not", "cannot": "can not", "couldnt": "could not", "wont": "will not", "won't": "will not",
    "isnt": "is not", "isn't": "is not", "arent": "are not", "aint": "is not", "lets": "let us", "let's": "let us", "abt": "about",
    "ppl": "people", "msg": "message", "info": "information", "bk": "book", "bks": "books", "yr": "your", "yrs": "yours", "tmrw": "tomorrow",
    "tmr": "tomorrow", "2day": "today", "2nite": "tonight", "nite": "night", "l8": "late", "gr8": "great", "k": "ok", "kk": "ok",
    "hv": "have", "hav": "have", "gd": "good", "gud": "good", "sry": "sorry", "srry": "sorry", "cld": "could", "wld": "would", "shld": "should",
    "y": "why", "bout": "about", "em": "them", "ya": "you", "yo": "hey", "urself": "yourself", "what's": "what is", "who's": "who is",
    "where's": "where is", "how's": "how is", "that's": "that is", "thats": "that is", "it's": "it is", "its": "it is", "there's": "there is",
    "you're": "you are", "youre": "you are", "they're": "they are", "we're": "we are", "he's": "he is", "she's": "she is",
}  # fmt: skip
"""How people write words on phones."""

SMALL: Final = frozenset("""
a an the my your his her their our its this that these those some any all every both each no not and or but if then than so to of in on at
by for from with without about into onto over under behind up down out off as is are am was were be been being do does did done can could may
might must shall should will would have has had i you he she it we they me him us them who whom whose what which when where why how there
here please thanks thank hello hi hey yes no ok okay very much many more most one two three
""".split())  # fmt: skip
"""Words that every sentence has."""
