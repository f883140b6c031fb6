/*
 * test_qp_vectors.h - quoted-printable as a foreign program sees it.
 *
 * Made once with Python 3.11. In qp_texts, its binascii and quopri modules
 * decoded both of our encodings to the text, and theirs is the encoding of
 * binascii.b2a_qp. In qp_decodings, what is coded is decoded by quopri's own
 * decoder (the one written in Python), CR LF made LF. Left out is what it
 * reads otherwise: "==" as one '=', and blanks or '=' at an end without LF.
 */
#ifndef MIME_TEST_QP_VECTORS_H
#define MIME_TEST_QP_VECTORS_H

#include "base/slice.h"

struct qp_text {
	struct slice text, ours, narrow, theirs;
};

static const struct qp_text qp_texts[] = {
	{ { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 } },
	{ { "plain\n", 6 },
	  { "plain\n", 6 },
	  { "plain\n", 6 },
	  { "plain\n", 6 } },
	{ { "gr\303\274\303\237e aus dem sch\303\266nen K\303\266ln\n", 31 },
	  { "gr=C3=BC=C3=9Fe aus dem sch=C3=B6nen K=C3=B6ln\n", 47 },
	  { "gr=C3=BC=C3=9Fe=20aus=20dem=20sch=C3=B6nen=20K=C3=B6ln\n", 55 },
	  { "gr=C3=BC=C3=9Fe aus dem sch=C3=B6nen K=C3=B6ln\n", 47 } },
	{ { "gr\374\337e aus dem sch\366nen K\366ln\n", 27 },
	  { "gr=FC=DFe aus dem sch=F6nen K=F6ln\n", 35 },
	  { "gr=FC=DFe=20aus=20dem=20sch=F6nen=20K=F6ln\n", 43 },
	  { "gr=FC=DFe=20aus=20dem=20sch=F6nen=20K=F6ln\n", 43 } },
	{ { "a=b==c\n", 7 },
	  { "a=3Db=3D=3Dc\n", 13 },
	  { "a=3Db=3D=3Dc\n", 13 },
	  { "a=3Db=3D=3Dc\n", 13 } },
	{ { "trail \n", 7 },
	  { "trail=20\n", 9 },
	  { "trail=20\n", 9 },
	  { "trail=20\n", 9 } },
	{ { "trail\t\n", 7 },
	  { "trail=09\n", 9 },
	  { "trail=09\n", 9 },
	  { "trail=09\n", 9 } },
	{ { "two  \n", 6 },
	  { "two =20\n", 8 },
	  { "two=20=20\n", 10 },
	  { "two =20\n", 8 } },
	{ { " \n", 2 }, { "=20\n", 4 }, { "=20\n", 4 }, { "=20\n", 4 } },
	{ { "\t", 1 }, { "=09", 3 }, { "=09", 3 }, { "=09", 3 } },
	{ { "tab\tin\n", 7 },
	  { "tab\tin\n", 7 },
	  { "tab=09in\n", 9 },
	  { "tab\tin\n", 7 } },
	{ { "no end", 6 },
	  { "no end", 6 },
	  { "no=20end", 8 },
	  { "no=20end", 8 } },
	{ { "From me\n.dot\nFFrom\n..\n", 22 },
	  { "=46rom me\n=2Edot\n=46From\n=2E.\n", 30 },
	  { "=46rom=20me\n=2Edot\n=46From\n=2E.\n", 32 },
	  { "From me\n.dot\nFFrom\n..\n", 22 } },
	{ { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxx\n",
	    71 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxx\n",
	    71 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxx\n",
	    71 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxx\n",
	    71 } },
	{ { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx\n",
	    72 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx\n",
	    72 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx\n",
	    72 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx\n",
	    72 } },
	{ { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxx\n",
	    73 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx=\nx\n",
	    75 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx=\nx\n",
	    75 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxx\n",
	    73 } },
	{ { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxx\n",
	    77 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx=\nxxxxx\n",
	    79 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx=\nxxxxx\n",
	    79 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxx\n",
	    77 } },
	{ { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxx\n",
	    78 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx=\nxxxxxx\n",
	    80 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx=\nxxxxxx\n",
	    80 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxx=\nxx\n",
	    80 } },
	{ { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxx.F\n",
	    153 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx="
	    "\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxx=\nxxxxxxxx.F\n",
	    157 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxx="
	    "\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxx=\nxxxxxxxx.F\n",
	    157 },
	  { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxx="
	    "\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxx=\n.F\n",
	    157 } },
	{ { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyy=\n",
	    71 },
	  { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyy=3D\n",
	    73 },
	  { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyy=3D\n",
	    73 },
	  { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyy=3D\n",
	    73 } },
	{ { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyyy=\n",
	    72 },
	  { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyyy=3D\n",
	    74 },
	  { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyyy=3D\n",
	    74 },
	  { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyyy=3D\n",
	    74 } },
	{ { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyyyy=\n",
	    73 },
	  { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyyyy=\n=3D\n",
	    77 },
	  { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyyyy=\n=3D\n",
	    77 },
	  { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyyyy=3D\n",
	    75 } },
	{ { "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
	    "zzzz \n",
	    72 },
	  { "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
	    "zzzz=20\n",
	    74 },
	  { "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
	    "zzzz=20\n",
	    74 },
	  { "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
	    "zzzz=20\n",
	    74 } },
	{ { "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
	    "zzzzz \n",
	    73 },
	  { "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
	    "zzzzz=\n=20\n",
	    77 },
	  { "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
	    "zzzzz=\n=20\n",
	    77 },
	  { "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
	    "zzzzz=20\n",
	    75 } },
	{ { "\177\001\037\n", 4 },
	  { "=7F=01=1F\n", 10 },
	  { "=7F=01=1F\n", 10 },
	  { "=7F=01=1F\n", 10 } },
	{ { "\320\241\321\212\320\265\321\210\321\214 \320\266\320\265 "
	    "\320\265\321\211\321\221 \321\215\321\202\320\270\321\205 "
	    "\320\274\321\217\320\263\320\272\320\270\321\205 "
	    "\321\204\321\200\320\260\320\275\321\206\321\203\320\267\321\201"
	    "\320\272\320\270\321\205 "
	    "\320\261\321\203\320\273\320\276\320\272, \320\264\320\260 "
	    "\320\262\321\213\320\277\320\265\320\271 "
	    "\321\207\320\260\321\216\n",
	    103 },
	  { "=D0=A1=D1=8A=D0=B5=D1=88=D1=8C =D0=B6=D0=B5 =D0=B5=D1=89=D1=91 "
	    "=D1=8D=D1=\n=82=D0=B8=D1=85 =D0=BC=D1=8F=D0=B3=D0=BA=D0=B8=D1=85 "
	    "=D1=84=D1=80=D0=B0=\n=D0=BD=D1=86=D1=83=D0=B7=D1=81=D0=BA=D0=B8="
	    "D1=85 =D0=B1=D1=83=D0=BB=D0=BE=\n=D0=BA, =D0=B4=D0=B0 "
	    "=D0=B2=D1=8B=D0=BF=D0=B5=D0=B9 =D1=87=D0=B0=D1=8E\n",
	    293 },
	  { "=D0=A1=D1=8A=D0=B5=D1=88=D1=8C=20=D0=B6=D0=B5=20=D0=B5=D1=89=D1="
	    "91=20=D1=\n=8D=D1=82=D0=B8=D1=85=20=D0=BC=D1=8F=D0=B3=D0=BA=D0=B8="
	    "D1=85=20=D1=84=D1=\n=80=D0=B0=D0=BD=D1=86=D1=83=D0=B7=D1=81=D0=BA="
	    "D0=B8=D1=85=20=D0=B1=D1=83=\n=D0=BB=D0=BE=D0=BA,=20=D0=B4=D0=B0="
	    "20=D0=B2=D1=8B=D0=BF=D0=B5=D0=B9=20=D1=\n=87=D0=B0=D1=8E\n",
	    313 },
	  { "=D0=A1=D1=8A=D0=B5=D1=88=D1=8C =D0=B6=D0=B5 =D0=B5=D1=89=D1=91 "
	    "=D1=8D=D1=82=\n=D0=B8=D1=85 =D0=BC=D1=8F=D0=B3=D0=BA=D0=B8=D1=85 "
	    "=D1=84=D1=80=D0=B0=D0=BD=\n=D1=86=D1=83=D0=B7=D1=81=D0=BA=D0=B8="
	    "D1=85 =D0=B1=D1=83=D0=BB=D0=BE=D0=BA, =\n=D0=B4=D0=B0 "
	    "=D0=B2=D1=8B=D0=BF=D0=B5=D0=B9 =D1=87=D0=B0=D1=8E\n",
	    293 } },
	{ { "\306\374\313\334\270\354\244\316\245\306\245\255\245\271\245\310"
	    "\n",
	    17 },
	  { "=C6=FC=CB=DC=B8=EC=A4=CE=A5=C6=A5=AD=A5=B9=A5=C8\n", 49 },
	  { "=C6=FC=CB=DC=B8=EC=A4=CE=A5=C6=A5=AD=A5=B9=A5=C8\n", 49 },
	  { "=C6=FC=CB=DC=B8=EC=A4=CE=A5=C6=A5=AD=A5=B9=A5=C8\n", 49 } },
	{ { "\000nul\000\n", 6 },
	  { "=00nul=00\n", 10 },
	  { "=00nul=00\n", 10 },
	  { "=00nul=00\n", 10 } },
	{ { "\000\001\002\003\004\005\006\007\010\t\013\014\016\017\020\021\022"
	    "\023\024\025\026\027\030\031\032\033\034\035\036\037 "
	    "!\"#$%&'()*+,-./"
	    "0123456789:;<=>\077@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
	    "abcdefghijklmnopqrstuvwxyz{|}~"
	    "\177\200\201\202\203\204\205\206\207\210\211\212\213\214\215\216"
	    "\217\220\221\222\223\224\225\226\227\230\231\232\233\234\235\236"
	    "\237\240\241\242\243\244\245\246\247\250\251\252\253\254\255\256"
	    "\257\260\261\262\263\264\265\266\267\270\271\272\273\274\275\276"
	    "\277\300\301\302\303\304\305\306\307\310\311\312\313\314\315\316"
	    "\317\320\321\322\323\324\325\326\327\330\331\332\333\334\335\336"
	    "\337\340\341\342\343\344\345\346\347\350\351\352\353\354\355\356"
	    "\357\360\361\362\363\364\365\366\367\370\371\372\373\374\375\376"
	    "\377",
	    254 },
	  { "=00=01=02=03=04=05=06=07=08\t=0B=0C=0E=0F=10=11=12=13=14=15=16=17="
	    "18=19=1A=\n=1B=1C=1D=1E=1F "
	    "!\"#$%&'()*+,-./"
	    "0123456789:;<=3D>\077@ABCDEFGHIJKLMNOPQRSTU=\nVWXYZ[\\]^_`"
	    "abcdefghijklmnopqrstuvwxyz{|}~=7F=80=81=82=83=84=85=86=87=88=\n="
	    "89=8A=8B=8C=8D=8E=8F=90=91=92=93=94=95=96=97=98=99=9A=9B=9C=9D=9E="
	    "9F=A0=\n=A1=A2=A3=A4=A5=A6=A7=A8=A9=AA=AB=AC=AD=AE=AF=B0=B1=B2=B3="
	    "B4=B5=B6=B7=B8=\n=B9=BA=BB=BC=BD=BE=BF=C0=C1=C2=C3=C4=C5=C6=C7=C8="
	    "C9=CA=CB=CC=CD=CE=CF=D0=\n=D1=D2=D3=D4=D5=D6=D7=D8=D9=DA=DB=DC=DD="
	    "DE=DF=E0=E1=E2=E3=E4=E5=E6=E7=E8=\n=E9=EA=EB=EC=ED=EE=EF=F0=F1=F2="
	    "F3=F4=F5=F6=F7=F8=F9=FA=FB=FC=FD=FE=FF",
	    586 },
	  { "=00=01=02=03=04=05=06=07=08=09=0B=0C=0E=0F=10=11=12=13=14=15=16="
	    "17=18=19=\n=1A=1B=1C=1D=1E=1F=20!\"#$%&'()*+,-./"
	    "0123456789:;<=3D>\077@ABCDEFGHIJKLMNOP=\nQRSTUVWXYZ[\\]^_`"
	    "abcdefghijklmnopqrstuvwxyz{|}~=7F=80=81=82=83=84=85=86=87=\n=88="
	    "89=8A=8B=8C=8D=8E=8F=90=91=92=93=94=95=96=97=98=99=9A=9B=9C=9D=9E="
	    "9F=\n=A0=A1=A2=A3=A4=A5=A6=A7=A8=A9=AA=AB=AC=AD=AE=AF=B0=B1=B2=B3="
	    "B4=B5=B6=B7=\n=B8=B9=BA=BB=BC=BD=BE=BF=C0=C1=C2=C3=C4=C5=C6=C7=C8="
	    "C9=CA=CB=CC=CD=CE=CF=\n=D0=D1=D2=D3=D4=D5=D6=D7=D8=D9=DA=DB=DC=DD="
	    "DE=DF=E0=E1=E2=E3=E4=E5=E6=E7=\n=E8=E9=EA=EB=EC=ED=EE=EF=F0=F1=F2="
	    "F3=F4=F5=F6=F7=F8=F9=FA=FB=FC=FD=FE=FF",
	    590 },
	  { "=00=01=02=03=04=05=06=07=08\t=0B=0C=0E=0F=10=11=12=13=14=15=16=17="
	    "18=19=1A=\n=1B=1C=1D=1E=1F "
	    "!\"#$%&'()*+,-./"
	    "0123456789:;<=3D>\077@ABCDEFGHIJKLMNOPQRSTUVWXY=\nZ[\\]^_`"
	    "abcdefghijklmnopqrstuvwxyz{|}~=7F=80=81=82=83=84=85=86=87=88=89="
	    "8A=\n=8B=8C=8D=8E=8F=90=91=92=93=94=95=96=97=98=99=9A=9B=9C=9D=9E="
	    "9F=A0=A1=A2=A3=\n=A4=A5=A6=A7=A8=A9=AA=AB=AC=AD=AE=AF=B0=B1=B2=B3="
	    "B4=B5=B6=B7=B8=B9=BA=BB=BC=\n=BD=BE=BF=C0=C1=C2=C3=C4=C5=C6=C7=C8="
	    "C9=CA=CB=CC=CD=CE=CF=D0=D1=D2=D3=D4=D5=\n=D6=D7=D8=D9=DA=DB=DC=DD="
	    "DE=DF=E0=E1=E2=E3=E4=E5=E6=E7=E8=E9=EA=EB=EC=ED=EE=\n=EF=F0=F1=F2="
	    "F3=F4=F5=F6=F7=F8=F9=FA=FB=FC=FD=FE=FF",
	    586 } },
	{ { "\na "
	    "\344\366=\t.a\n\000=\366\000b\366=bFc\tc\344c\000\344\366Fa\366="
	    "a\177F\ta=\366\000c\366\000 "
	    "=\344\000=..b\177=\000\344.a\177F\n.b\t\n.aa\n="
	    "cc\000c\n\000\177\366.b .b===\366\177 c\344a.\344\n  "
	    "\t\177F\n\177\t "
	    "\t\344..FF.aaa\344\nF\366c\177\366Faa\nba\366a\000\366\344=F "
	    "\344F\366ab\366\000a..F\000F\177\177\344.Fa\n =",
	    155 },
	  { "\na "
	    "=E4=F6=3D\t.a\n=00=3D=F6=00b=F6=3DbFc\tc=E4c=00=E4=F6Fa=F6=3Da="
	    "7FF\ta=3D=F6=00c=F6=00 "
	    "=3D=\n=E4=00=3D..b=7F=3D=00=E4.a=7FF\n=2Eb=09\n=2Eaa\n=3Dcc=00c\n="
	    "00=7F=F6.b .b=3D=3D=3D=F6=7F c=E4a.=E4\n  \t=7FF\n=7F\t "
	    "\t=E4..FF.aaa=E4\n=46=F6c=7F=F6Faa\nba=F6a=00=F6=E4=3DF "
	    "=E4F=F6ab=F6=00a..F=00F=7F=7F=E4.Fa\n =3D",
	    291 },
	  { "\na=20=E4=F6=3D=09.a\n=00=3D=F6=00b=F6=3DbFc=09c=E4c=00=E4=F6Fa="
	    "F6=3Da=7FF=09a=3D=F6=00c=F6=00=\n=20=3D=E4=00=3D..b=7F=3D=00=E4.a="
	    "7FF\n=2Eb=09\n=2Eaa\n=3Dcc=00c\n=00=7F=F6.b=20.b=3D=3D=3D=F6=7F="
	    "20c=E4a.=E4\n=20=20=09=7FF\n=7F=09=20=09=E4..FF.aaa=E4\n=46=F6c="
	    "7F=F6Faa\nba=F6a=00=F6=E4=3DF=20=E4F=F6ab=F6=00a..F=00F=7F=7F=E4."
	    "Fa\n=20=3D",
	    321 },
	  { "\na "
	    "=E4=F6=3D\t.a\n=00=3D=F6=00b=F6=3DbFc\tc=E4c=00=E4=F6Fa=F6=3Da="
	    "7FF\ta=3D=F6=00c=F6=00 "
	    "=3D=E4=\n=00=3D..b=7F=3D=00=E4.a=7FF\n.b=09\n.aa\n=3Dcc=00c\n=00="
	    "7F=F6.b .b=3D=3D=3D=F6=7F c=E4a.=E4\n  \t=7FF\n=7F\t "
	    "\t=E4..FF.aaa=E4\nF=F6c=7F=F6Faa\nba=F6a=00=F6=E4=3DF "
	    "=E4F=F6ab=F6=00a..F=00F=7F=7F=E4.Fa\n =3D",
	    285 } },
	{ { "\n\n\000=bF.\t\000b.b\344c\n\t\000ab\366 "
	    "b\na\t\177F.\000\t\n\366a\177\344\000\t="
	    "\177\000aac\n\n\177\t\366F\177\366a.\177 \t =\ncFb\000\366\366 "
	    "=cF .aa=\366\t=\tc\366\n\t.ba.a\tcF\366\344F=\177a "
	    "a.\t\344\177F=c\366\000\366.b\177\t=.",
	    114 },
	  { "\n\n=00=3DbF.\t=00b.b=E4c\n\t=00ab=F6 "
	    "b\na\t=7FF.=00=09\n=F6a=7F=E4=00\t=3D=7F=00aac\n\n=7F\t=F6F=7F="
	    "F6a.=7F \t =3D\ncFb=00=F6=F6 =3DcF "
	    ".aa=3D=F6\t=3D\tc=F6\n\t.ba.a\tcF=F6=E4F=3D=7Fa "
	    "a.\t=E4=7FF=3Dc=F6=00=F6.b=7F\t=3D.",
	    198 },
	  { "\n\n=00=3DbF.=09=00b.b=E4c\n=09=00ab=F6=20b\na=09=7FF.=00=09\n="
	    "F6a=7F=E4=00=09=3D=7F=00aac\n\n=7F=09=F6F=7F=F6a.=7F=20=09=20="
	    "3D\ncFb=00=F6=F6=20=3DcF=20.aa=3D=F6=09=3D=09c=F6\n=09.ba.a=09cF="
	    "F6=E4F=3D=7Fa=20a.=09=E4=7FF=3Dc=F6=00=F6.b=7F=09=3D.",
	    234 },
	  { "\n\n=00=3DbF.\t=00b.b=E4c\n\t=00ab=F6 "
	    "b\na\t=7FF.=00=09\n=F6a=7F=E4=00\t=3D=7F=00aac\n\n=7F\t=F6F=7F="
	    "F6a.=7F \t =3D\ncFb=00=F6=F6 =3DcF "
	    ".aa=3D=F6\t=3D\tc=F6\n\t.ba.a\tcF=F6=E4F=3D=7Fa "
	    "a.\t=E4=7FF=3Dc=F6=00=F6.b=7F\t=3D.",
	    198 } },
	{ { "\n \000\000=\366\366\344.a\366.b b=ba=\366b.a=\000bF "
	    "a\n.\000\177\344\nb\366= b.\344\177\344FF=\344 "
	    "F\366b\nba=\n\366\177.bc\177Fa\ta=\177Fc "
	    "b\000.\t\344F\t\n\177\366 b.=\177\344 aF\000\000bc=a. \366 "
	    "\366\366\344cb==\177c\n\n\177c\366\366\366aa.\177 \n "
	    "=F\n\177\344..b\344abc\344.a\tbc\177=a.",
	    146 },
	  { "\n =00=00=3D=F6=F6=E4.a=F6.b b=3Dba=3D=F6b.a=3D=00bF "
	    "a\n=2E=00=7F=E4\nb=F6=3D b.=E4=7F=E4FF=3D=E4 "
	    "F=F6b\nba=3D\n=F6=7F.bc=7FFa\ta=3D=7FFc b=00.\t=E4F=09\n=7F=F6 "
	    "b.=3D=7F=E4 aF=00=00bc=3Da. =F6 "
	    "=F6=F6=E4cb=3D=3D=7Fc\n\n=7Fc=F6=F6=F6aa.=7F=20\n "
	    "=3DF\n=7F=E4..b=E4abc=E4.a\tbc=7F=3Da.",
	    268 },
	  { "\n=20=00=00=3D=F6=F6=E4.a=F6.b=20b=3Dba=3D=F6b.a=3D=00bF=20a\n=2E="
	    "00=7F=E4\nb=F6=3D=20b.=E4=7F=E4FF=3D=E4=20F=F6b\nba=3D\n=F6=7F.bc="
	    "7FFa=09a=3D=7FFc=20b=00.=09=E4F=09\n=7F=F6=20b.=3D=7F=E4=20aF=00="
	    "00bc=3Da.=20=F6=20=F6=F6=E4cb=3D=3D=7Fc\n\n=7Fc=F6=F6=F6aa.=7F="
	    "20\n=20=3DF\n=7F=E4..b=E4abc=E4.a=09bc=7F=3Da.",
	    296 },
	  { "\n =00=00=3D=F6=F6=E4.a=F6.b b=3Dba=3D=F6b.a=3D=00bF "
	    "a\n=2E=00=7F=E4\nb=F6=3D b.=E4=7F=E4FF=3D=E4 "
	    "F=F6b\nba=3D\n=F6=7F.bc=7FFa\ta=3D=7FFc b=00.\t=E4F=09\n=7F=F6 "
	    "b.=3D=7F=E4 aF=00=00bc=3Da. =F6 "
	    "=F6=F6=E4cb=3D=3D=7Fc\n\n=7Fc=F6=F6=F6aa.=7F=20\n "
	    "=3DF\n=7F=E4..b=E4abc=E4.a\tbc=7F=3Da.",
	    268 } },
	{ { "a\tcb \000c\366=c\n\344b\366\344\nca\000 \344\ta=\n.\177\tc=F "
	    "\n\177bbcc\n\nb\177\366\000==\344\000\nFc\n\344b "
	    "\000F\t\t\nca\366\000\366\tc\t\000\344F.c\000\177=a\366=\tFF\t "
	    "\177\n  a=\tF\000b .\t\177\177\177F",
	    101 },
	  { "a\tcb =00c=F6=3Dc\n=E4b=F6=E4\nca=00 "
	    "=E4\ta=3D\n=2E=7F\tc=3DF=20\n=7Fbbcc\n\nb=7F=F6=00=3D=3D=E4=00\n="
	    "46c\n=E4b "
	    "=00F\t=09\nca=F6=00=F6\tc\t=00=E4F.c=00=7F=3Da=F6=3D\tFF\t =7F\n  "
	    "a=3D\tF=00b .\t=7F=7F=7FF",
	    183 },
	  { "a=09cb=20=00c=F6=3Dc\n=E4b=F6=E4\nca=00=20=E4=09a=3D\n=2E=7F=09c="
	    "3DF=20\n=7Fbbcc\n\nb=7F=F6=00=3D=3D=E4=00\n=46c\n=E4b=20=00F=09="
	    "09\nca=F6=00=F6=09c=09=00=E4F.c=00=7F=3Da=F6=3D=09FF=09=20=7F\n="
	    "20=20a=3D=09F=00b=20.=09=7F=7F=7FF",
	    217 },
	  { "a\tcb =00c=F6=3Dc\n=E4b=F6=E4\nca=00 "
	    "=E4\ta=3D\n.=7F\tc=3DF=20\n=7Fbbcc\n\nb=7F=F6=00=3D=3D=E4="
	    "00\nFc\n=E4b "
	    "=00F\t=09\nca=F6=00=F6\tc\t=00=E4F.c=00=7F=3Da=F6=3D\tFF\t =7F\n  "
	    "a=3D\tF=00b .\t=7F=7F=7FF",
	    179 } },
	{ { "\366 \t\n\344\177c=\n\344\000.\366= \366c\t\000\177\t\344\344F "
	    "ca\000\344.F.\366cc\344=\344F\000\177\000Fa=a\366c\000cF\tc\t. "
	    "=\177\366\366\366c\nF..\n\344\tcc\177bb\n=..\177",
	    79 },
	  { "=F6 =09\n=E4=7Fc=3D\n=E4=00.=F6=3D =F6c\t=00=7F\t=E4=E4F "
	    "ca=00=E4.F.=F6cc=E4=3D=E4F=00=7F=00Fa=\n=3Da=F6c=00cF\tc\t. "
	    "=3D=7F=F6=F6=F6c\n=46..\n=E4\tcc=7Fbb\n=3D..=7F",
	    153 },
	  { "=F6=20=09\n=E4=7Fc=3D\n=E4=00.=F6=3D=20=F6c=09=00=7F=09=E4=E4F="
	    "20ca=00=E4.F.=F6cc=E4=3D=E4F=00=\n=7F=00Fa=3Da=F6c=00cF=09c=09.="
	    "20=3D=7F=F6=F6=F6c\n=46..\n=E4=09cc=7Fbb\n=3D..=7F",
	    171 },
	  { "=F6 =09\n=E4=7Fc=3D\n=E4=00.=F6=3D =F6c\t=00=7F\t=E4=E4F "
	    "ca=00=E4.F.=F6cc=E4=3D=E4F=00=7F=00Fa=3Da=\n=F6c=00cF\tc\t. "
	    "=3D=7F=F6=F6=F6c\nF..\n=E4\tcc=7Fbb\n=3D..=7F",
	    151 } },
	{ { "cF \366.=\000b= \366c\366a\177 "
	    "\nc\taa\344\000\344a\366\000\344\344\n\177\000b\366\000\366="
	    "\nFbaFa\000bc=\344b\366.b=\n\366\344 =",
	    58 },
	  { "cF =F6.=3D=00b=3D "
	    "=F6c=F6a=7F=20\nc\taa=E4=00=E4a=F6=00=E4=E4\n=7F=00b=F6=00=F6="
	    "3D\n=46baFa=00bc=3D=E4b=F6.b=3D\n=F6=E4 =3D",
	    118 },
	  { "cF=20=F6.=3D=00b=3D=20=F6c=F6a=7F=20\nc=09aa=E4=00=E4a=F6=00=E4="
	    "E4\n=7F=00b=F6=00=F6=3D\n=46baFa=00bc=3D=E4b=F6.b=3D\n=F6=E4=20="
	    "3D",
	    126 },
	  { "cF =F6.=3D=00b=3D "
	    "=F6c=F6a=7F=20\nc\taa=E4=00=E4a=F6=00=E4=E4\n=7F=00b=F6=00=F6="
	    "3D\nFbaFa=00bc=3D=E4b=F6.b=3D\n=F6=E4 =3D",
	    116 } },
	{ { "c=c=F\n\366F\177bFc\344 =\177\000\366ab\000\000\000=\000 "
	    "c\366=\177\000\177\344F\177=a=\nF.\t\177\177\366\n "
	    "a.\t=\000\000.\n\t\n\na\177\366=b\n\344 "
	    ".\nF\177F\nc\344\000\000\000F\366aFbb\t\t \344F\000\n\344. "
	    "==\n\n\177\344F= \nca\000\177\366\t \000\344.\000 . b \000",
	    120 },
	  { "c=3Dc=3DF\n=F6F=7FbFc=E4 =3D=7F=00=F6ab=00=00=00=3D=00 "
	    "c=F6=3D=7F=00=7F=E4F=7F=3Da=\n=3D\n=46.\t=7F=7F=F6\n "
	    "a.\t=3D=00=00.\n=09\n\na=7F=F6=3Db\n=E4 "
	    ".\n=46=7FF\nc=E4=00=00=00F=F6aFbb\t\t =E4F=00\n=E4. "
	    "=3D=3D\n\n=7F=E4F=3D=20\nca=00=7F=F6\t =00=E4.=00 . b =00",
	    238 },
	  { "c=3Dc=3DF\n=F6F=7FbFc=E4=20=3D=7F=00=F6ab=00=00=00=3D=00=20c=F6="
	    "3D=7F=00=7F=E4F=7F=\n=3Da=3D\n=46.=09=7F=7F=F6\n=20a.=09=3D=00=00."
	    "\n=09\n\na=7F=F6=3Db\n=E4=20.\n=46=7FF\nc=E4=00=00=00F=F6aFbb=09="
	    "09=20=E4F=00\n=E4.=20=3D=3D\n\n=7F=E4F=3D=20\nca=00=7F=F6=09=20="
	    "00=E4.=00=20.=20b=20=00",
	    268 },
	  { "c=3Dc=3DF\n=F6F=7FbFc=E4 =3D=7F=00=F6ab=00=00=00=3D=00 "
	    "c=F6=3D=7F=00=7F=E4F=7F=3Da=3D\nF.\t=7F=7F=F6\n "
	    "a.\t=3D=00=00.\n=09\n\na=7F=F6=3Db\n=E4 "
	    ".\nF=7FF\nc=E4=00=00=00F=F6aFbb\t\t =E4F=00\n=E4. "
	    "=3D=3D\n\n=7F=E4F=3D=20\nca=00=7F=F6\t =00=E4.=00 . b =00",
	    232 } },
	{ { "\n\n "
	    "F\366a\344\ta\000\000b\344=\000\tc\000\nF\000ac=FF\366c\344\n="
	    "\177\366ccFc\344a\n\177\n. \000a "
	    "\n\366=\366c\344\344\366bcb\000\366\t\000a\177a\177b\n=a."
	    "\000\n\344\177 \344\n.\nc\n\000\177=\366\nac\344=.\366b\366 "
	    "bcF\t\344\000\344ba.== a. a\t\n\n\000b \366=\t\000\000 \344\177 "
	    "\000\344\366bFb.=\n\177\177\366F\344a\177.ab\366\344. "
	    "c\344\177\t\n\366\366",
	    158 },
	  { "\n\n "
	    "F=F6a=E4\ta=00=00b=E4=3D=00\tc=00\n=46=00ac=3DFF=F6c=E4\n=3D=7F="
	    "F6ccFc=E4a\n=7F\n=2E "
	    "=00a=20\n=F6=3D=F6c=E4=E4=F6bcb=00=F6\t=00a=7Fa=7Fb\n=3Da.=00\n="
	    "E4=7F =E4\n=2E\nc\n=00=7F=3D=F6\nac=E4=3D.=F6b=F6 "
	    "bcF\t=E4=00=E4ba.=3D=3D a. a=09\n\n=00b =F6=3D\t=00=00 =E4=7F "
	    "=00=E4=F6bFb.=3D\n=7F=7F=F6F=E4a=7F.ab=F6=E4. c=E4=7F=09\n=F6=F6",
	    308 },
	  { "\n\n=20F=F6a=E4=09a=00=00b=E4=3D=00=09c=00\n=46=00ac=3DFF=F6c="
	    "E4\n=3D=7F=F6ccFc=E4a\n=7F\n=2E=20=00a=20\n=F6=3D=F6c=E4=E4=F6bcb="
	    "00=F6=09=00a=7Fa=7Fb\n=3Da.=00\n=E4=7F=20=E4\n=2E\nc\n=00=7F=3D="
	    "F6\nac=E4=3D.=F6b=F6=20bcF=09=E4=00=E4ba.=3D=3D=20a.=20a=09\n\n="
	    "00b=20=F6=3D=09=00=00=20=E4=7F=20=00=E4=F6bFb.=3D\n=7F=7F=F6F=E4a="
	    "7F.ab=F6=E4.=20c=E4=7F=09\n=F6=F6",
	    338 },
	  { "\n\n "
	    "F=F6a=E4\ta=00=00b=E4=3D=00\tc=00\nF=00ac=3DFF=F6c=E4\n=3D=7F="
	    "F6ccFc=E4a\n=7F\n. "
	    "=00a=20\n=F6=3D=F6c=E4=E4=F6bcb=00=F6\t=00a=7Fa=7Fb\n=3Da.=00\n="
	    "E4=7F =E4\n=2E\nc\n=00=7F=3D=F6\nac=E4=3D.=F6b=F6 "
	    "bcF\t=E4=00=E4ba.=3D=3D a. a=09\n\n=00b =F6=3D\t=00=00 =E4=7F "
	    "=00=E4=F6bFb.=3D\n=7F=7F=F6F=E4a=7F.ab=F6=E4. c=E4=7F=09\n=F6=F6",
	    304 } },
	{ { "\000c\nb.\t\ncF=\177 \000c\t.\000 "
	    "Fba\000\000\n\t\366\000=b\t\366.=c\nc.c\n\344cc="
	    "\tac\000\n\000\366bc\344a.F\n\tF=\n a "
	    "\344=\366\366Fc\366aab\177.cb=\177cc\177\177F\tcbb\tbc. "
	    "\t.\366c\177\177\000\177\000\n \344\177",
	    107 },
	  { "=00c\nb.=09\ncF=3D=7F =00c\t.=00 "
	    "Fba=00=00\n\t=F6=00=3Db\t=F6.=3Dc\nc.c\n=E4cc=3D\tac=00\n=00=F6bc="
	    "E4a.F\n\tF=3D\n a "
	    "=E4=3D=F6=F6Fc=F6aab=7F.cb=3D=7Fcc=7F=7FF\tcbb\tbc. "
	    "\t.=F6c=7F=7F=00=7F=\n=00\n =E4=7F",
	    185 },
	  { "=00c\nb.=09\ncF=3D=7F=20=00c=09.=00=20Fba=00=00\n=09=F6=00=3Db=09="
	    "F6.=3Dc\nc.c\n=E4cc=3D=09ac=00\n=00=F6bc=E4a.F\n=09F=3D\n=20a=20="
	    "E4=3D=F6=F6Fc=F6aab=7F.cb=3D=7Fcc=7F=7FF=09cbb=09bc.=20=09.=F6c="
	    "\n=7F=7F=00=7F=00\n=20=E4=7F",
	    213 },
	  { "=00c\nb.=09\ncF=3D=7F =00c\t.=00 "
	    "Fba=00=00\n\t=F6=00=3Db\t=F6.=3Dc\nc.c\n=E4cc=3D\tac=00\n=00=F6bc="
	    "E4a.F\n\tF=3D\n a "
	    "=E4=3D=F6=F6Fc=F6aab=7F.cb=3D=7Fcc=7F=7FF\tcbb\tbc. "
	    "\t.=F6c=7F=7F=00=7F=00\n =E4=7F",
	    183 } },
	{ { "\ta\nF\n\t \366..\177\177a.\344\na.\344\n\177\tb.= "
	    "\t\n\tFc\344Fa\nF\n\000\n\000\344\366\344\000\344bF=\177 "
	    "\t\344acb\177\t\366\000\177b\344\t.\366F\n.c\366\366abcaa\177 "
	    "b\000b = b=ac\344=\344\344c\177aF \nc.\000\366\n..\344c\t\366F "
	    ".\000F\344\000 "
	    ".\nb\344\344\n\177\177b\366F\366bF=b\366\n\tba\177\344\366\000b "
	    "\177\344\t\177\na",
	    150 },
	  { "\ta\n=46\n\t =F6..=7F=7Fa.=E4\na.=E4\n=7F\tb.=3D "
	    "=09\n\tFc=E4Fa\n=46\n=00\n=00=E4=F6=E4=00=E4bF=3D=7F "
	    "\t=E4acb=7F\t=F6=00=7Fb=E4\t.=F6F\n=2Ec=F6=F6abcaa=7F b=00b =3D "
	    "b=3Dac=E4=3D=E4=E4c=7FaF=20\nc.=00=F6\n=2E.=E4c\t=F6F .=00F=E4=00 "
	    ".\nb=E4=E4\n=7F=7Fb=F6F=F6bF=3Db=F6\n\tba=7F=E4=F6=00b "
	    "=7F=E4\t=7F\na",
	    276 },
	  { "=09a\n=46\n=09=20=F6..=7F=7Fa.=E4\na.=E4\n=7F=09b.=3D=20=09\n="
	    "09Fc=E4Fa\n=46\n=00\n=00=E4=F6=E4=00=E4bF=3D=7F=20=09=E4acb=7F=09="
	    "F6=00=7Fb=E4=09.=F6F\n=2Ec=F6=F6abcaa=7F=20b=00b=20=3D=20b=3Dac="
	    "E4=3D=E4=E4c=7FaF=20\nc.=00=F6\n=2E.=E4c=09=F6F=20.=00F=E4=00=20."
	    "\nb=E4=E4\n=7F=7Fb=F6F=F6bF=3Db=F6\n=09ba=7F=E4=F6=00b=20=7F=E4="
	    "09=7F\na",
	    314 },
	  { "=09a\nF\n=09=20=F6..=7F=7Fa.=E4\na.=E4\n=7F=09b.=3D=20=09\n=09Fc="
	    "E4Fa\nF\n=00\n=00=E4=F6=E4=00=E4bF=3D=7F=20=09=E4acb=7F=09=F6=00="
	    "7Fb=E4=09.=F6F\n.c=F6=F6abcaa=7F=20b=00b=20=3D=20b=3Dac=E4=3D=E4="
	    "E4c=7FaF=20\nc.=00=F6\n..=E4c=09=F6F=20.=00F=E4=00=20.\nb=E4=E4\n="
	    "7F=7Fb=F6F=F6bF=3Db=F6\n=09ba=7F=E4=F6=00b=20=7F=E4=09=7F\na",
	    306 } },
	{ { "\t=\t.\344\n. \366\tb\000\t\177 "
	    "F.\366\366\366a\000c\000\tc\000\tcF\nb\366\177\344\366\t "
	    "\177c=\344b==bF.\000c\000F\000\nc\366\366a\177c =\366  "
	    "a=F=\366=c\na= \n ca\n\t\000\177\n.=\177=\n.\366F. "
	    "\344\177\344\344b\n=.b\344\366.\177\tFca\tc\344",
	    115 },
	  { "\t=3D\t.=E4\n=2E =F6\tb=00\t=7F "
	    "F.=F6=F6=F6a=00c=00\tc=00\tcF\nb=F6=7F=E4=F6\t "
	    "=7Fc=3D=E4b=3D=3DbF.=00c=00F=00\nc=F6=F6a=7Fc =3D=F6  "
	    "a=3DF=3D=F6=3Dc\na=3D=20\n ca\n\t=00=7F\n=2E=3D=7F=3D\n=2E=F6F. "
	    "=E4=7F=E4=E4b\n=3D.b=E4=F6.=7F\tFca\tc=E4",
	    219 },
	  { "=09=3D=09.=E4\n=2E=20=F6=09b=00=09=7F=20F.=F6=F6=F6a=00c=00=09c="
	    "00=09cF\nb=F6=7F=E4=F6=09=20=7Fc=3D=E4b=3D=3DbF.=00c=00F=00\nc=F6="
	    "F6a=7Fc=20=3D=F6=20=20a=3DF=3D=F6=3Dc\na=3D=20\n=20ca\n=09=00="
	    "7F\n=2E=3D=7F=3D\n=2E=F6F.=20=E4=7F=E4=E4b\n=3D.b=E4=F6.=7F=09Fca="
	    "09c=E4",
	    255 },
	  { "\t=3D\t.=E4\n. =F6\tb=00\t=7F "
	    "F.=F6=F6=F6a=00c=00\tc=00\tcF\nb=F6=7F=E4=F6\t "
	    "=7Fc=3D=E4b=3D=3DbF.=00c=00F=00\nc=F6=F6a=7Fc =3D=F6  "
	    "a=3DF=3D=F6=3Dc\na=3D=20\n ca\n\t=00=7F\n.=3D=7F=3D\n.=F6F. "
	    "=E4=7F=E4=E4b\n=3D.b=E4=F6.=7F\tFca\tc=E4",
	    213 } },
	{ { "\366.\177\344=\000a\n\344F\000\t.\177\000\344\366\t "
	    "a\nF\n\366\nF=\n\177a\n\n\177=  acF\n.b\177\177a\n\t\177\t "
	    "\000\366=ca\366\tFF\t.\344 ",
	    63 },
	  { "=F6.=7F=E4=3D=00a\n=E4F=00\t.=7F=00=E4=F6\t "
	    "a\n=46\n=F6\n=46=3D\n=7Fa\n\n=7F=3D  acF\n=2Eb=7F=7Fa\n\t=7F\t "
	    "=00=F6=3Dca=F6\tFF\t.=E4=20",
	    119 },
	  { "=F6.=7F=E4=3D=00a\n=E4F=00=09.=7F=00=E4=F6=09=20a\n=46\n=F6\n=46="
	    "3D\n=7Fa\n\n=7F=3D=20=20acF\n=2Eb=7F=7Fa\n=09=7F=09=20=00=F6=3Dca="
	    "F6=09FF=09.=E4=20",
	    139 },
	  { "=F6.=7F=E4=3D=00a\n=E4F=00\t.=7F=00=E4=F6\t "
	    "a\nF\n=F6\nF=3D\n=7Fa\n\n=7F=3D  acF\n.b=7F=7Fa\n\t=7F\t "
	    "=00=F6=3Dca=F6\tFF\t.=E4=20",
	    113 } },
};

struct qp_decoding {
	struct slice coded, text;
};

static const struct qp_decoding qp_decodings[] = {
	{ { "=zz", 3 }, { "=zz", 3 } },
	{ { "=4", 2 }, { "=4", 2 } },
	{ { "=4z\n", 4 }, { "=4z\n", 4 } },
	{ { "a=\nb\n", 5 }, { "ab\n", 3 } },
	{ { "a= \t\nb\n", 7 }, { "ab\n", 3 } },
	{ { "a=\r\nb\r\n", 7 }, { "ab\n", 3 } },
	{ { "trail \t \nx\n", 11 }, { "trail\nx\n", 8 } },
	{ { "=3d=3D=3d\n", 10 }, { "===\n", 4 } },
	{ { "=\n=\n\n", 5 }, { "\n", 1 } },
	{ { "=41=4", 5 }, { "A=4", 3 } },
	{ { "a=20\n", 5 }, { "a \n", 3 } },
	{ { "=e4=F6=fC\n", 10 }, { "\344\366\374\n", 4 } },
	{ { "a =\nb\n", 6 }, { "a b\n", 4 } },
	{ { "= x\n", 4 }, { "= x\n", 4 } },
	{ { "=\n", 2 }, { "", 0 } },
	{ { "=3D=\n=3D\n", 9 }, { "==\n", 3 } },
	{ { "=4=41\n", 6 }, { "=4A\n", 4 } },
	{ { "=g1\n", 4 }, { "=g1\n", 4 } },
	{ { "raw \344\n", 6 }, { "raw \344\n", 6 } },
	{ { "x  \r\ny\r\n", 8 }, { "x\ny\n", 4 } },
	{ { "=e4=3D=a=\n=e4=\n=\n a=3D=G z=3Dz", 30 },
	  { "\344==a\344 a==G z=z", 14 } },
	{ { "\t\n =3D\t\nz\t\nz =\n=3D=z", 20 }, { "\n =\nz\nz ==z", 11 } },
	{ { "a=41z=3Dzz=4\n z\t\n", 17 }, { "aAz=zz=4\n z\n", 12 } },
	{ { "a=G=e4a=41=\n=4=Ga=e4\nz=G=4a=\n\t\na=3Da", 36 },
	  { "a=G\344aA=4=Ga\344\nz=GJ\na=a", 21 } },
	{ { "=Gz=G=4\t\n=41\t\n =41=G", 20 }, { "=Gz=G=4\nA\n A=G", 14 } },
	{ { "z z=4=G", 7 }, { "z z=4=G", 7 } },
	{ { "a  =\n=G=4=G=\n\n", 14 }, { "a  =G=4=G\n", 10 } },
	{ { "az=\n=4\t\n", 8 }, { "az=4\n", 5 } },
	{ { "=4a a=e4\n=\n\n=41=Gz\t\n \t\n=3D=\n", 28 },
	  { "J a\344\n\nA=Gz\n\n=", 13 } },
	{ { "=4=Gz =e4=41=G=\n=e4=41 a=G=4", 28 },
	  { "=4=Gz \344A=G\344A a=G=4", 18 } },
	{ { "\nz=e4\na=\n=41=G=41a=G=G\t\n\t\nz=41", 30 },
	  { "\nz\344\naA=GAa=G=G\n\nzA", 18 } },
	{ { "=\nz\t\n =G=G=3D=G=Gz", 18 }, { "z\n =G=G==G=Gz", 13 } },
	{ { "z=41a\t\n\n\t\n z=Ga\t\n=Gz=e4=4", 25 },
	  { "zAa\n\n\n z=Ga\n=Gz\344=4", 18 } },
	{ { "\na a=Gz a=41=e4z=4=\na=41", 24 },
	  { "\na a=Gz aA\344z=4aA", 16 } },
	{ { " \nz=4\t\n=\n=z\n=41 =G=e4=G", 23 },
	  { "\nz=4\n=z\nA =G\344=G", 15 } },
	{ { "z=e4=4\n", 7 }, { "z\344=4\n", 5 } },
	{ { "=41\n=4=\n=\n=3D=4", 15 }, { "A\n=4==4", 7 } },
	{ { "=41=3D=\n\n=e4=e4=\n=e4=3D=e4=4=3D=\n\t\n", 35 },
	  { "A=\n\344\344\344=\344=4=\n", 12 } },
	{ { "=e4=41=3D\t\nz=e4za", 17 }, { "\344A=\nz\344za", 8 } },
	{ { "=4=G=4az", 8 }, { "=4=GJz", 6 } },
	{ { "= =G\n=\n=3D\t\n=\nz=4\n\n=\n=4a=G=3D z=41 \n", 36 },
	  { "= =G\n=\nz=4\n\nJ=G= zA\n", 20 } },
	{ { "z=e4a=G", 7 }, { "z\344a=G", 5 } },
	{ { "\n=3D \t\n=4=3Da=\n=e4=e4=G=G=Ga=41\n", 32 },
	  { "\n=\n=4=a\344\344=G=G=GaA\n", 18 } },
	{ { " =3D=4a", 7 }, { " =J", 3 } },
	{ { "=3D=41=41z\t\n=\n=\n=\n", 18 }, { "=AAz\n", 5 } },
	{ { "=\n=e4=e4=e4=Ga a=\n=41=3D=4=e4\t\n=Ga=41", 37 },
	  { "\344\344\344=Ga aA==4\344\n=GaA", 18 } },
};

#endif
