"""Names for invented people, from many languages and scripts, so that the demo is about nobody in particular."""

FEMALE = (
    *("Amara", "Ingrid", "Leilani", "Mei-Ling", "Chiara", "Zofia", "Aroha", "Nkechi", "Saoirse", "Yuki"),
    *("Þóra", "Jūratė", "Ñusta", "Çiçek", "Žofka", "Ọlábísí", "Hạnh", "Ağgül", "Élodie", "Jýrgal"),
    *("Дарина", "Злата", "Айгуль", "Ελένη", "Δάφνη", "ნინო", "Անահիտ", "ليلى", "شيرين", "רות"),
    *("मीरा", "কমলা", "கயல்விழி", "ማርታ", "สมหญิง", "ສຸດາ", "지은", "さくら", "雅婷", "ᐊᓇ"),
)
MALE = (
    *("Kwame", "Sven", "Keanu", "Haruto", "Matteo", "Tadeusz", "Tāne", "Chidi", "Pádraig", "Anders"),
    *("Björn", "Jānis", "Tupaq", "Gökhan", "Matěj", "Adébáyọ̀", "Đức", "Rəşid", "François", "Төмөр"),
    *("Тарас", "Мирослав", "Ерлан", "Νίκος", "Ορέστης", "გიორგი", "Արամ", "يوسف", "بهرام", "אורי"),
    *("अर्जुन", "রবি", "இளங்கோ", "ዳዊት", "สมชาย", "ບຸນມີ", "민준", "たろう", "志明", "ᓄᒃ"),
)
FAMILY = (
    *("Abara", "Lindqvist", "Kealoha", "Tanaka", "Bellini", "Wójcik", "Parata", "Okonkwo", "Ó Briain", "Moreau"),
    *("Guðmundsson", "Kalniņš", "Quispe", "Yıldız", "Dvořák", "Adéyẹmí", "Nguyễn", "Quliyev", "Lefèvre", "Muñoz"),
    *("Ковальчук", "Зимин", "Сейтқали", "Παπαδάκης", "Γεωργίου", "ბერიძე", "Սարյան", "الحداد", "مرادی", "כהן"),
    *("शर्मा", "সেন", "முருகன்", "በቀለ", "ใจดี", "ວົງສາ", "김", "山本", "林", "D'Almeida"),
)
