"""The words the demo shop is written with: names, cities, goods, sentences.

E-mail domains are below example.com (RFC 2606), so that nothing the shop says can reach anybody.
"""

_SURNAMES = (
    "王Wang 李Li 张Zhang 刘Liu 陈Chen 杨Yang 赵Zhao 黄Huang 周Zhou 吴Wu 徐Xu 孙Sun 胡Hu 朱Zhu 高Gao "
    "林Lin 何He 郭Guo 马Ma 罗Luo 梁Liang 宋Song 郑Zheng 谢Xie 韩Han 唐Tang 冯Feng 于Yu 董Dong 萧Xiao "
    "程Cheng 曹Cao 袁Yuan 邓Deng 许Xu 傅Fu 沈Shen 曾Zeng 彭Peng 吕Lü 苏Su 卢Lu 蒋Jiang 蔡Cai 贾Jia "
    "丁Ding 魏Wei 薛Xue 叶Ye 阎Yan"
)
_GIVEN = (
    "伟wei 芳fang 娜na 敏min 静jing 丽li 强qiang 磊lei 军jun 洋yang 勇yong 艳yan 杰jie 娟juan "
    "涛tao 明ming 超chao 秀xiu 霞xia 平ping 刚gang 桂gui 英ying 华hua 玉yu 兰lan 红hong "
    "建jian 文wen 辉hui 玲ling 鹏peng 宇yu 浩hao 晨chen 欣xin 怡yi 佳jia 雪xue 梅mei 琳lin "
    "倩qian 颖ying 慧hui 婷ting 凯kai 鑫xin 博bo 阳yang 昊hao 轩xuan "
    "子zi 梓zi 涵han 诗shi 雨yu 思si 晓xiao 志zhi 国guo"
)
_CITIES = (
    "上海 北京 广州 深圳 杭州 南京 苏州 成都 重庆 武汉 西安 天津 长沙 郑州 青岛 宁波 厦门 合肥 福州 济南 "
    "沈阳 大连 昆明 无锡"
)


def _split(words: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    pairs = words.split()
    return tuple(pair[0] for pair in pairs), tuple(pair[1:] for pair in pairs)


SURNAMES, SURNAMES_PINYIN = _split(_SURNAMES)
GIVEN, GIVEN_PINYIN = _split(_GIVEN)
CITIES = tuple(_CITIES.split())
ENGLISH_FIRST = (
    *("Oliver", "Emma", "James", "Sophia", "William", "Olivia", "Henry", "Ava"),
    *("Lucas", "Mia", "Daniel", "Chloe", "Thomas", "Grace", "Jack", "Lily"),
)
ENGLISH_LAST = (
    *("Smith", "Jones", "Taylor", "Brown", "Williams", "Wilson", "Johnson"),
    *("Davies", "Patel", "Wright", "Walker", "Thompson", "White", "O'Brien"),
)
NICKNAMES = (
    *("小太阳", "爱吃鱼的猫", "星辰大海", "清风", "一只小熊", "SunnyDay"),
    *("咖啡不加糖", "远方", "CoCo", "夏天的风", "今天也要加油", "momo"),
)
EMAIL_DOMAINS = (
    "mail.example.com",
    "post.example.com",
    "qq.mail.example.com",
    "163.mail.example.com",
    "office.example.com",
)
PHONE_PREFIXES = ("135", "136", "137", "138", "139", "150", "158", "159", "177", "186", "188", "189")

# By the category's code.
PRODUCT_NOUNS = {
    "coffee": ("咖啡豆", "滴滤咖啡", "冷萃液", "速溶咖啡"),
    "pet_food": ("猫粮", "狗粮", "猫罐头", "磨牙棒"),
    "baby_care": ("纸尿裤", "婴儿奶粉", "湿巾", "辅食泥"),
    "books": ("小说", "菜谱", "绘本", "传记"),
    "apparel": ("衬衫", "牛仔裤", "连衣裙", "针织衫"),
    "appliances": ("电饭煲", "空气净化器", "吸尘器", "咖啡机"),
    "down_jackets": ("轻薄羽绒服", "长款羽绒服", "儿童羽绒服", "羽绒背心"),
    "mooncakes": ("莲蓉月饼", "五仁月饼", "冰皮月饼", "月饼礼盒"),
}
PRODUCT_KINDS = ("经典", "臻选", "家庭装", "轻享", "尊享", "原味", "新款", "限定", "特惠", "有机")

TICKET_TEXTS = {
    "delivery": ("快递晚了好几天，一直没有消息。", "Parcel arrived a week late, nobody told me."),
    "product": ("收到的商品有质量问题。", "The item was broken when I opened it."),
    "service": ("客服态度很差，问题没有解决。", "Support kept me waiting and solved nothing."),
    "price": ("别家更便宜，能降价吗？", "Another shop sells this for less."),
    "other": ("请问什么时候有货？", "How do I change my address?"),
}
